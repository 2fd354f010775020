import { PUBLISHING_NAME } from '../model/layout.js';

/**
 * What a POSIX shell at the host does: says `ready`, then answers each line with `held`, `busy` or, once it was held and
 * is not any more, `lost`; and gives the lock back at the end of its input. The lock is the highest number in a folder; it
 * is dead if it was not touched for a minute by the clock there. Who makes the next number has it, if then the one before
 * is still there and dead: else somebody took over and was done meanwhile.
 */
export function lockScript(folder: string): string {
  return SCRIPT.replaceAll('FOLDER', () => `'${folder.replaceAll("'", `'\\''`)}'`);
}

const SCRIPT = `
top() {
  n=0
  for one in ${PUBLISHING_NAME}/*; do
    one=\${one##*/}
    case $one in *[!0-9]*) ;; *) [ "$one" -le "$n" ] || n=$one ;; esac
  done
}
dead() { [ -n "$(find ${PUBLISHING_NAME}/$1 -prune -mmin +1 2>/dev/null)" ]; }
take() {
  mkdir ${PUBLISHING_NAME} 2>/dev/null
  top
  old=$n
  [ "$old" -eq 0 ] || dead "$old" || return 1
  mkdir ${PUBLISHING_NAME}/$((old + 1)) 2>/dev/null || return 1
  mine=$((old + 1))
  top
  if [ "$n" -eq "$mine" ]; then
    [ "$old" -gt 0 ] || return 0
    dead "$old" && rmdir ${PUBLISHING_NAME}/$old && return 0
  fi
  rmdir ${PUBLISHING_NAME}/$mine
  mine=
  return 1
}
holds() {
  top
  [ "$n" -eq "$mine" ]
}
serve() {
  trap '' HUP PIPE
  umask 022
  cd FOLDER 2>/dev/null || { mkdir FOLDER && cd FOLDER; } || { echo 'packsign failed'; return; }
  mkdir ${PUBLISHING_NAME} 2>/dev/null
  if [ ! -w ${PUBLISHING_NAME} ]; then
    mkdir ${PUBLISHING_NAME}
    echo 'packsign failed'
    return
  fi
  mine=
  echo 'packsign ready'
  while read -r line; do
    if [ -z "$mine" ]; then
      if take; then echo 'packsign held'; else echo 'packsign busy'; fi
    elif holds; then
      touch ${PUBLISHING_NAME}/$mine
      echo 'packsign held'
    else
      echo 'packsign lost'
      return
    fi
  done
  [ -n "$mine" ] && holds && rmdir ${PUBLISHING_NAME}/$mine
  rmdir ${PUBLISHING_NAME} 2>/dev/null
}
serve
exit
`;
