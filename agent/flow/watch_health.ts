/** Watches running tasks: asks their checks, and tells what changed. In memory: a new agent begins where the last report was. */
import { type Clock, pause } from "../../shared/clock.ts";
import { asAppError } from "../../shared/errors.ts";
import type { ExecutionId } from "../../shared/model/ids.ts";
import type { HealthCheck } from "../../shared/model/policy.ts";
import { type ExecutionEvent, type Running, runOf } from "../core/execution_state.ts";
import {
  beginHealth,
  type CheckResult,
  hasProbe,
  healthCheckOf,
  type HealthState,
  isRestartDue,
  nextCheckMs,
  observeHealth,
} from "../core/health.ts";
import type { Engine } from "../engines/engine.ts";
import type { HttpGet } from "../host/host.ts";
import type { Executions, Live } from "./executions.ts";

/** Whom it asks and tells. */
export interface WatchHealthOptions {
  readonly executions: Executions;
  readonly engines: ReadonlyMap<string, Engine>;
  readonly httpGet: HttpGet;
  readonly clock: Clock;
  /** The agent's lifetime. */
  readonly nowMs: () => number;
  readonly push: (id: ExecutionId, event: ExecutionEvent) => void;
}

/** How much of what a check said is kept, in characters. */
const MESSAGE_CHARS_MAX = 200;

/** Watches each run once, until it ends. */
export class WatchHealth {
  readonly #options: WatchHealthOptions;
  readonly #closing = new AbortController();
  /** Execution → the run that is watched. */
  readonly #watched = new Map<ExecutionId, number>();

  constructor(options: WatchHealthOptions) {
    this.#options = options;
  }

  /** Begins to watch the present run, if its job has that. */
  watch(live: Live): void {
    const check = healthCheckOf(live.order);
    const run = runOf(live.state);
    if (check === undefined || this.#watched.get(live.id) === run) return;
    this.#watched.set(live.id, run);
    this.#go(live, { check, run }).finally(() => {
      if (this.#watched.get(live.id) === run) this.#watched.delete(live.id);
    });
  }

  close(): void {
    this.#closing.abort();
  }

  async #go(live: Live, { check, run }: { check: HealthCheck; run: number }): Promise<void> {
    const { clock, nowMs, push, executions } = this.#options;
    const first = this.#runningOf(live.id, run);
    if (first === undefined) return;
    const startedMs = first.startedMs ?? nowMs();
    let state: HealthState = beginHealth(first.health?.status);
    while (this.#runningOf(live.id, run) !== undefined) {
      const waitMs = nextCheckMs(state, { check, startedMs, nowMs: nowMs() });
      if (waitMs === undefined) return;
      await pause(clock, waitMs, this.#closing.signal);
      const result = await this.#check(live, check);
      if (this.#closing.signal.aborted) return;
      if (result === undefined) continue;
      const before = state;
      state = observeHealth(before, result, { check, startedMs, nowMs: nowMs() });
      if (state.status === before.status || this.#runningOf(live.id, run) === undefined) continue;
      const { status, message } = state;
      const isDue = isRestartDue(before, state, check);
      push(live.id, {
        type: "health_changed",
        status,
        sinceMs: nowMs(),
        ...(message !== undefined && { message }),
        ...(isDue && { restart: { graceMs: executions.graceOf(live) } }),
      });
      if (isDue) return;
    }
  }

  /** The state of that run while it is on and nobody ends it. */
  #runningOf(id: ExecutionId, run: number): Running | undefined {
    const state = this.#options.executions.find(id)?.state;
    const isOn = state?.phase === "running" && runOf(state) === run && state.stopping === undefined;
    return isOn ? state : undefined;
  }

  /** Undefined: the engine could not be asked, which says nothing of the task. */
  async #check(live: Live, check: HealthCheck): Promise<CheckResult | undefined> {
    if (!hasProbe(check)) return { hasPassed: true };
    const engine = this.#options.engines.get(live.order.task.engine.type);
    try {
      for (const ask of [this.#checkHttp, this.#checkExec]) {
        const message = await ask.call(this, live, check, engine);
        if (message !== undefined) return failed(message);
      }
      return { hasPassed: true };
    } catch (error) {
      const { code, message } = asAppError(error);
      return code === "unavailable" ? undefined : failed(message);
    }
  }

  /** Why it does not pass; undefined when it does, or is not asked for. */
  async #checkHttp(
    live: Live,
    { http, timeoutMs }: HealthCheck,
    engine: Engine | undefined,
  ): Promise<string | undefined> {
    if (http === undefined) return undefined;
    const at = await reach(live, http.port, engine);
    if (at === undefined) {
      return `This machine cannot reach port ${http.port} of the task: it has no such network`;
    }
    const host = at.host.includes(":") ? `[${at.host}]` : at.host;
    const what = `GET ${http.path} on port ${http.port}`;
    try {
      const status = await this.#options.httpGet(`http://${host}:${at.port}${http.path}`, {
        timeoutMs,
        signal: this.#closing.signal,
      });
      return status >= 200 && status < 400 ? undefined : `${what} was answered with ${status}`;
    } catch (error) {
      return `${what} failed: ${asAppError(error).message}`;
    }
  }

  async #checkExec(
    { id }: Live,
    { exec, timeoutMs }: HealthCheck,
    engine: Engine | undefined,
  ): Promise<string | undefined> {
    if (exec === undefined) return undefined;
    const what = `"${exec.command.join(" ")}"`;
    if (engine?.exec === undefined) return `${what} cannot be run: the engine runs no commands in its tasks`;
    const ended = await engine.exec(id, exec.command, { timeoutMs, signal: this.#closing.signal });
    if (ended.exitCode === 0) return undefined;
    if (ended.exitCode === undefined) return `${what} took longer than ${timeoutMs / 1000}s`;
    const said = ended.output.trim();
    return `${what} ended with exit code ${ended.exitCode}${said === "" ? "" : `: ${said}`}`;
  }
}

/** A port that has a name is one of the machine. */
async function reach({ id, ports }: Live, port: number | string, engine: Engine | undefined) {
  if (typeof port === "number") return await engine?.reach?.(id, port);
  const given = ports?.find(({ name }) => name === port);
  if (given === undefined) return undefined;
  const { hostAddress, hostPort } = given;
  return { host: UNSPECIFIED.has(hostAddress) ? "127.0.0.1" : hostAddress, port: hostPort };
}

/** Any address of the machine. */
const UNSPECIFIED: ReadonlySet<string> = new Set(["", "0.0.0.0", "::"]);

function failed(message: string): CheckResult {
  const isLong = message.length > MESSAGE_CHARS_MAX;
  return { hasPassed: false, message: isLong ? `${message.slice(0, MESSAGE_CHARS_MAX - 1)}…` : message };
}
