/** `skerry completion`: scripts for shells, which ask this executable (`skerry __complete WORDS`) at each TAB. */
import { EXIT } from "../shared/errors.ts";
import { type Call, defineCommand, type Noun } from "./command.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

const PRINT = defineCommand({
  name: "completion",
  summary: "Print a completion script for bash, zsh or fish",
  about:
    "Words, flags, values, and the jobs and nodes of the server are completed. To keep it, write it to:\n\n" +
    "bash   ~/.local/share/bash-completion/completions/skerry\n" +
    "zsh    a file _skerry in a folder of $fpath\n" +
    "fish   ~/.config/fish/completions/skerry.fish",
  operands: [{ name: "SHELL", summary: "bash, zsh or fish", choices: SHELLS }],
  flags: {},
  examples: [
    { line: "source <(skerry completion bash)", does: "Try it in this shell (bash, zsh)" },
    { line: "skerry completion fish | source", does: "Try it in this shell (fish)" },
  ],
  run({ operands, terminal }: Call) {
    terminal.print(SCRIPTS[operands[0] as typeof SHELLS[number]]);
    return Promise.resolve(EXIT.ok);
  },
});

/** `skerry completion` */
export const COMPLETION: Noun = { name: PRINT.name, summary: PRINT.summary, command: PRINT };

/**
 * Each asks with the words up to the cursor, the last one possibly empty. An answer is lines `value<TAB>meaning`, or one
 * line `:file` or `:folder`, which means that the shell completes paths.
 */
const SCRIPTS: Readonly<Record<typeof SHELLS[number], string>> = {
  bash: `# bash completion for skerry; needs nothing but bash
_skerry() {
  local line="\${COMP_LINE:0:COMP_POINT}" words answer value about
  read -ra words <<<"$line"
  [[ "$line" == *[[:space:]] ]] && words+=("")
  local current="\${words[\${#words[@]}-1]}"
  # bash breaks words at = and : too, and wants only what follows the last of them.
  local head=""
  [[ "$current" == *[=:]* ]] && head="\${current%"\${current##*[=:]}"}"
  COMPREPLY=()
  answer="$("\${words[0]}" __complete "\${words[@]:1}" 2>/dev/null)"
  case "$answer" in
    :folder) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "\${current#"$head"}"); return ;;
    :file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "\${current#"$head"}"); return ;;
  esac
  while IFS=$'\\t' read -r value about; do
    [[ -n "$value" && "$value" == "$current"* ]] && COMPREPLY+=("\${value#"$head"}")
  done <<<"$answer"
}
complete -F _skerry skerry`,
  zsh: `#compdef skerry
# zsh completion for skerry
_skerry() {
  local answer line
  local -a offers
  answer="$("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)"
  case "$answer" in
    :folder) _files -/; return ;;
    :file) _files; return ;;
  esac
  for line in "\${(@f)answer}"; do
    [[ -n "$line" ]] && offers+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  (( \${#offers} )) && _describe -V skerry offers
}
if [ "$funcstack[1]" = "_skerry" ]; then _skerry "$@"; else compdef _skerry skerry; fi`,
  fish: `# fish completion for skerry
function __skerry_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l answer ($words[1] __complete $words[2..-1] 2>/dev/null)
  switch "$answer[1]"
    case :folder
      __fish_complete_directories (commandline -ct)
    case :file
      __fish_complete_path (commandline -ct)
    case '*'
      printf '%s\\n' $answer
  end
end
complete -c skerry -f -a '(__skerry_complete)'`,
};
