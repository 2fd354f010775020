#compdef packsign
# Completion of packsign for zsh; `packsign completion zsh` prints this file.
# packsign --complete answers with the kind of files to add, then one word a line, with its meaning behind a tab.
_packsign() {
  local -a lines offered shown
  local line
  lines=("${(@f)$(command packsign --complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2> /dev/null < /dev/null)}")
  for line in "${(@)lines[2,-1]}"; do
    offered+=("${line%%$'\t'*}")
    shown+=("${line/$'\t'/  -- }")
  done
  (($#offered)) && compadd -l -d shown -a offered
  case $lines[1] in
    files) compset -P '--*='; _files ;;
    folders) compset -P '--*='; _files -/ ;;
    keys) compset -P '--*='; _files -g '*.(asc|gpg|pgp|key)' ;;
  esac
}
# zsh calls a file in its fpath as the function; a shell that reads it with source only learns of it.
if [[ ${funcstack[1]} == _packsign ]]; then
  _packsign "$@"
elif (($+functions[compdef])); then
  compdef _packsign packsign
fi
