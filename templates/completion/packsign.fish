# Completion of packsign for fish; `packsign completion fish` prints this file.
# packsign --complete answers with the kind of files to add, then one word a line, with its meaning behind a tab.
function __packsign_offers
    set -l words (commandline -opc)
    set -l raw (commandline -ct)
    set -l typed (string unescape -- "$raw"; or echo -- "$raw")
    set -e words[1]
    set -l lines (command packsign --complete $words "$typed" 2>/dev/null </dev/null)
    set -l paths $lines[1]
    set -e lines[1]
    printf '%s\n' $lines
    contains -- "$paths" files folders keys; or return 0
    set -l before (string match -r -- '^--[^=]*=' "$typed")
    set -l tail (string replace -r -- '^--[^=]*=' '' "$typed")
    set -l found (__fish_complete_path "$tail")
    test "$paths" = folders; and set found (__fish_complete_directories "$tail")
    if test "$paths" = keys
        set -l keys (string match -r -- '^.*(?:/|\.asc|\.gpg|\.pgp|\.key)(?:\t.*)?$' $found)
        set -q keys[1]; and set found $keys
    end
    set -q found[1]; and printf '%s\n' "$before"$found
    return 0
end
complete -c packsign -f -a '(__packsign_offers)'
