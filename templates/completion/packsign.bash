# Completion of packsign for bash 4 or newer; `packsign completion bash` prints this file.
# packsign --complete answers with the kind of files to add, then one word a line, with its meaning behind a tab.
_packsign() {
  COMPREPLY=()
  ((BASH_VERSINFO[0] >= 4)) || return 0
  local rest=${COMP_LINE:0:COMP_POINT} words=() word trimmed i
  # bash splits words at = and :, which packsign wants whole.
  for ((i = 0; i <= COMP_CWORD; i++)); do
    trimmed=${rest#"${rest%%[![:space:]]*}"}
    word=${COMP_WORDS[i]}
    ((i < COMP_CWORD)) || word=$trimmed
    if ((i == 0)) || [[ $trimmed != "$rest" ]]; then words+=("$word"); else words[-1]+=$word; fi
    rest=${trimmed#"$word"}
  done
  local typed=${words[-1]} before='' quoted=''
  [[ $typed == [\"\']* || $typed == *=[\"\']* ]] && quoted=yes
  # Quotes are taken away, and nothing between them is carried out.
  words=("${words[@]//[\\\"\']/}")
  typed=${words[-1]}
  # Readline replaces what is behind the last = or : only.
  local breaks=${COMP_WORDBREAKS//[!=:]/}
  [[ -n $breaks && -z $quoted && $typed == *[$breaks]* ]] && before=${typed%"${typed##*[$breaks]}"}

  local paths='' offered=() found=() keys=()
  {
    read -r paths
    mapfile -t offered
  } < <(command packsign --complete "${words[@]:1}" 2> /dev/null < /dev/null)
  for word in "${offered[@]}"; do
    word=${word%%$'\t'*}
    # Within quotes only plain words are safe as they are.
    [[ -z $quoted || $word != *[!A-Za-z0-9._/:=+-]* ]] || continue
    printf -v word %q "${word#"$before"}"
    COMPREPLY+=("$word")
  done

  local tail=${typed#"$before"}
  [[ $quoted == yes ]] && tail=${typed#--*=}
  case $paths in
    folders) mapfile -t found < <(compgen -d -- "$tail") ;;
    files | keys) mapfile -t found < <(compgen -f -- "$tail") ;;
  esac
  if [[ $paths == keys ]]; then
    for word in "${found[@]}"; do
      [[ -d $word || $word == *.asc || $word == *.gpg || $word == *.pgp || $word == *.key ]] && keys+=("$word")
    done
    ((${#keys[@]} > 0)) && found=("${keys[@]}")
  fi
  ((${#found[@]} == 0)) || compopt -o filenames 2> /dev/null
  COMPREPLY+=("${found[@]}")
  return 0
}
complete -F _packsign packsign
