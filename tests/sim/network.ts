/** The simulated bus: loses, doubles, delays and reorders, and can be cut for one node. */
import { crc32 } from "node:zlib";
import type { Bus, Receiver, Responder } from "../../shared/bus/bus.ts";
import { AppError } from "../../shared/errors.ts";
import type { Dice } from "./dice.ts";
import { type Life, never } from "./life.ts";
import type { Timeline } from "./timeline.ts";

/** What a link does to messages. */
export interface LinkFaults {
  readonly lossRatio: number;
  readonly doubleRatio: number;
  /** Most messages take up to this long. */
  readonly delayMs: number;
  /** Some take up to this long. */
  readonly lateMs: number;
  readonly lateRatio: number;
}

/** A link without faults. */
export const GOOD_LINK: LinkFaults = { lossRatio: 0, doubleRatio: 0, delayMs: 2, lateMs: 2, lateRatio: 0 };

interface Link {
  faults: LinkFaults;
  isUp: boolean;
  /** Counts what makes messages in flight worthless. */
  era: number;
}

interface Member {
  readonly life: Life;
  readonly site: string;
  readonly onLink: Set<(isUp: boolean) => void>;
}

/** The site of the orchestrator; every other site has its own link to it. */
export const HUB = "hub";

export class Network {
  readonly #timeline: Timeline;
  readonly #dice: Dice;
  readonly #links = new Map<string, Link>();
  readonly #receivers = new Map<string, { member: Member; receive: Receiver }>();
  readonly #responders = new Map<string, { member: Member; respond: Responder }>();
  readonly #members = new Set<Member>();
  /** Messages on their way. */
  inFlightCount = 0;

  constructor(options: { timeline: Timeline; dice: Dice }) {
    this.#timeline = options.timeline;
    this.#dice = options.dice;
  }

  #link(site: string): Link {
    let link = this.#links.get(site);
    if (link === undefined) this.#links.set(site, link = { faults: GOOD_LINK, isUp: true, era: 0 });
    return link;
  }

  setFaults(site: string, faults: LinkFaults): void {
    this.#link(site).faults = faults;
  }

  /** Nothing that is on its way to or from the site arrives. */
  dropInFlight(site: string): void {
    this.#link(site).era++;
  }

  /** Cuts or mends. `isNoticed`: the node's bus says so; otherwise messages just vanish. */
  setUp(site: string, isUp: boolean, { isNoticed }: { isNoticed: boolean }): void {
    const link = this.#link(site);
    if (link.isUp === isUp) return;
    link.isUp = isUp;
    if (!isUp) link.era++;
    if (!isNoticed) return;
    for (const member of this.#members) {
      if (member.site === site) { for (const call of member.onLink) member.life.do(() => call(isUp)); }
    }
  }

  /** The bus of one life at one site. */
  join(life: Life, site: string): Bus {
    const member: Member = { life, site, onLink: new Set() };
    this.#members.add(member);
    return {
      publish: (subject, bytes) => {
        if (!life.isOver) this.#carry(site, subject, bytes);
      },
      subscribe: (subject, receive) => {
        this.#receivers.set(subject, { member, receive });
        return () => {
          if (this.#receivers.get(subject)?.member === member) this.#receivers.delete(subject);
        };
      },
      request: (subject, bytes, options) => this.#request(member, subject, { bytes, ...options }),
      respond: (subject, respond) => {
        this.#responders.set(subject, { member, respond });
        return () => {
          if (this.#responders.get(subject)?.member === member) this.#responders.delete(subject);
        };
      },
      onLink: (call) => {
        member.onLink.add(call);
        this.#timeline.at(0, () => life.do(() => call(site === HUB || this.#link(site).isUp)));
        return () => {
          member.onLink.delete(call);
        };
      },
      close: () => Promise.resolve(),
    };
  }

  /** The program's end: nothing reaches it any more. */
  leave(life: Life): void {
    for (const member of this.#members) if (member.life === life) this.#members.delete(member);
    for (const map of [this.#receivers, this.#responders]) {
      for (const [subject, { member }] of map) if (member.life === life) map.delete(subject);
    }
  }

  #carry(from: string, subject: string, bytes: Uint8Array): void {
    const to = this.#receivers.get(subject)?.member.site;
    if (to === undefined) return;
    const site = from === HUB ? to : from;
    const link = this.#link(site);
    const { faults } = link;
    const copies = this.#dice.chance(faults.lossRatio) ? 0 : this.#dice.chance(faults.doubleRatio) ? 2 : 1;
    if (!link.isUp || copies === 0) return this.#timeline.trace(`${from} → ${to} lost ${bytes.length}`);
    const { era } = link;
    for (let copy = 0; copy < copies; copy++) {
      this.inFlightCount++;
      this.#timeline.at(this.#delayMs(faults), () => {
        this.inFlightCount--;
        if (link.era !== era || !link.isUp) {
          return this.#timeline.trace(`${from} → ${to} cut ${bytes.length}`);
        }
        const found = this.#receivers.get(subject);
        this.#timeline.trace(`${from} → ${to} ${describe(bytes)}`);
        found?.member.life.do(() => found.receive(bytes));
      });
    }
  }

  #delayMs({ delayMs, lateMs, lateRatio }: LinkFaults): number {
    return this.#dice.fraction() * (this.#dice.chance(lateRatio) ? lateMs : delayMs);
  }

  #request(
    member: Member,
    subject: string,
    { bytes, timeoutMs }: { bytes: Uint8Array; timeoutMs: number },
  ): Promise<Uint8Array> {
    if (member.life.isOver) return never();
    return new Promise((resolve, reject) => {
      const late = member.life.after(timeoutMs, () => {
        reject(new AppError("timed_out", `Cannot get an answer from "${subject}" within ${timeoutMs} ms`));
      });
      const answer = (end: () => void) => {
        late();
        if (!member.life.isOver) end();
      };
      const found = this.#responders.get(subject);
      if (found === undefined) {
        const nobody = new AppError("unavailable", `Cannot reach "${subject}": nobody answers there`);
        this.#timeline.at(1, () => answer(() => reject(nobody)));
        return;
      }
      const link = this.#link(member.site === HUB ? found.member.site : member.site);
      const isLost = () => !link.isUp || this.#dice.chance(link.faults.lossRatio);
      this.#timeline.at(this.#delayMs(link.faults), async () => {
        if (isLost() || found.member.life.isOver) return;
        const reply = await found.respond(bytes);
        this.#timeline.at(this.#delayMs(link.faults), () => {
          if (!isLost()) answer(() => resolve(reply));
        });
      });
    });
  }
}

/** `batch state 3…5` */
function describe(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes.subarray(0, 400));
  const type = /"type":"(\w+)"/.exec(text)?.[1] ?? "request";
  const lane = /"lane":"(\w+)"/.exec(text)?.[1] ?? "";
  const marks = [...text.matchAll(/"epoch":(\d+),"seq":(\d+)/g)].slice(0, 4).map((it) => `${it[1]}:${it[2]}`);
  return `${type} ${lane} ${marks.join(" ")} (${bytes.length} B, ${crc32(bytes).toString(16)})`;
}
