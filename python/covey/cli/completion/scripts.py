"""The few lines that each shell needs: they ask `covey completion words` what may stand at the cursor."""

from __future__ import annotations

from typing import Final

BASH: Final = r"""# bash completion of covey. Now: source <(covey completion bash)
# For good: covey completion bash > ~/.local/share/bash-completion/completions/covey
_covey() {
  local word about
  COMPREPLY=()
  while IFS=$'\t' read -r word about; do
    if [ "$word" = ":paths" ]; then
      compopt -o default 2>/dev/null
      return
    fi
    COMPREPLY+=("$(printf '%q' "$word")")
  done < <("${COMP_WORDS[0]/#\~/$HOME}" completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _covey covey
"""

ZSH: Final = r"""#compdef covey
# zsh completion of covey. Now: source <(covey completion zsh)
# For good: covey completion zsh > a file called _covey in a folder of $fpath
_covey() {
  local line
  local -a lines found
  lines=("${(@f)$(${(Q)words[1]/#\~/$HOME} completion words -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ $lines[1] == :paths* ]]; then
    _files
    return
  fi
  for line in $lines; do
    [[ -n $line ]] && found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
  done
  _describe covey found
}
if [[ $funcstack[1] == _covey ]]; then _covey "$@"; else compdef _covey covey; fi
"""

FISH: Final = r"""# fish completion of covey. Now: covey completion fish | source
# For good: covey completion fish > ~/.config/fish/completions/covey.fish
function __covey_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l program (string replace -r '^~' $HOME $before[1])
    set -e before[1]
    set -l found ($program completion words -- $before "$current" 2>/dev/null)
    if string match -q ':paths*' -- $found[1]
        __fish_complete_path "$current"
    else
        printf '%s\n' $found
    end
end
complete -c covey -f -a '(__covey_complete)'
"""

SCRIPTS: Final = {"bash": BASH, "zsh": ZSH, "fish": FISH}
"""The script of each shell, by its name."""
