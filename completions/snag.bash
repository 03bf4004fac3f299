# snag.bash: completion of snag(1) for bash; installed as bash-completion/completions/snag.
#
# What a command takes is what its --help says, at the moment of the TAB: each line "  -o, --option
# VALUE" there is an option, and VALUE (FILE, DIR, PID, a|b|c) tells how its value is completed. So
# it is in step with the command that is installed. By hand is only what --help cannot say. Stands
# alone: bash-completion finds it, and `. snag.bash` does without that package.

_snag_profiles='threads fds stuck handles threadleak'

# Sets values[OPTION]=VALUE ("" for none) for all options of COMMAND (words; none: of snag itself).
_snag_options() # SNAG COMMAND
{
    local line word names value
    while IFS= read -r line; do
        [[ $line == '  -'* ]] || continue
        line=${line#'  '}
        line=${line%%'  '*}
        names=() value=
        for word in $line; do
            case $word in
            -*) word=${word%,} names+=("${word%%[=[]*}") ;;
            *) value=${word#[} value=${value%]} ;;
            esac
        done
        for word in "${names[@]}"; do
            values[$word]=$value
        done
    done < <("$1" $2 --help 2>/dev/null </dev/null) # $2 is split: "collect diff"
}

_snag_words() # WORDS: those that begin as the current one
{
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current")
}

# The last of several, separated by commas.
_snag_list() # WORDS
{
    local before=
    [[ $current == *,* ]] && before=${current%,*},
    mapfile -t COMPREPLY < <(compgen -P "$before" -W "$1" -- "${current##*,}")
    compopt -o nospace 2>/dev/null
}

_snag_paths() # f: files, d: directories
{
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -"$1" -- "$current")
}

# Processes that may be looked at, by their number or their name. Names are for reading, so only
# where several are listed; a list that goes into the line has numbers alone.
_snag_pids()
{
    local directory pid name line found=()
    for directory in /proc/[0-9]*; do
        pid=${directory#/proc/} name='' line=''
        [[ -O $directory || $EUID -eq 0 ]] && [[ $pid -ne $$ ]] || continue
        {
            read -r name <"$directory/comm"
            IFS= read -r -d '' line <"$directory/cmdline"
        } 2>/dev/null
        [[ $line && ($pid == "$current"* || $name == "$current"*) ]] || continue # else the kernel's
        found+=("$pid ($name)")
    done
    [[ ${#found[@]} -eq 1 || ${COMP_TYPE-} == 37 || ${COMP_TYPE-} == 42 ]] && found=("${found[@]%% *}")
    COMPREPLY=("${found[@]}")
}

_snag_address()
{
    compopt -o nospace 2>/dev/null
    if [[ $current == unix:* ]]; then
        mapfile -t COMPREPLY < <(compgen -P unix: -f -- "${current#unix:}")
    else
        _snag_words '127.0.0.1: 127.0.0.1:0 127.0.0.1:6060-6079 unix: off'
    fi
}

_snag_value() # NAME of the value
{
    case $1 in
    *FILE*) _snag_paths f ;;
    *DIR* | BUILD) _snag_paths d ;;
    PID) _snag_pids ;;
    TOOL*) _snag_list 'clang gcc cppcheck spatch' ;;
    PROFILE* | LIST) _snag_list 'threads fds handles threadleak' ;;
    ADDRESS | *TARGET*) _snag_address ;;
    *[a-z0-9]'|'*) _snag_words "${1//|/ }" ;;
    esac
}

# A command line within ours, which begins at the word INDEX.
_snag_command_line() # INDEX
{
    if declare -F _comp_command_offset >/dev/null; then
        _comp_command_offset "$1"
    elif declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    elif [[ $1 -eq $COMP_CWORD ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -c -- "$current"; compgen -d -- "$current")
    else
        _snag_paths f
    fi
}

_snag_commands() # SNAG
{
    "$1" --help 2>/dev/null </dev/null | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p'
}

_snag_place() # SNAG COMMAND PLACE: what is not an option
{
    case $2/$3 in
    /0) _snag_words "$(_snag_commands "$1")" ;;
    help/0) _snag_words "$(_snag_commands "$1" | grep -vx help)" ;;
    dump/0) _snag_pids ;;
    dump/1) _snag_words "$_snag_profiles" ;;
    check/* | 'collect diff'/*) _snag_paths f ;;
    collect/0) _snag_words 'diff 127.0.0.1: unix:' ;;
    collect/*) _snag_address ;;
    esac
}

# Into words: the words before the current one, and it, with those together again that bash divides
# at = and ':'; into starts: the index of each in COMP_WORDS.
_snag_join()
{
    local i word last=
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $i -gt 1 && ($word == [:=]* || $last == [:=]) ]]; then
            words[-1]+=$word
        else
            words+=("$word") starts+=("$i")
        fi
        last=$word
    done
}

# What stands before the last = or ':' of the current word stays as it is, where bash divides there.
_snag_divide()
{
    local kept=
    [[ $COMP_WORDBREAKS == *:* && $current == *:* ]] && kept=${current%:*}:
    [[ $COMP_WORDBREAKS == *=* && -z $kept && $current == *=* ]] && kept=${current%%=*}=
    [[ -z $kept ]] || COMPREPLY=("${COMPREPLY[@]#"$kept"}")
}

_snag()
{
    local snag=${1/#\~/$HOME} command='' wanted='' place=0 last i word current before=
    local -a words=() starts=()
    local -A values=()
    COMPREPLY=()
    _snag_join
    last=$((${#words[@]} - 1)) current=${words[-1]}
    _snag_options "$snag"
    for ((i = 1; i < last; i++)); do
        word=${words[i]}
        if [[ $wanted ]]; then
            wanted=
        elif [[ $command == run && ($word != -?* || $word == --) ]]; then
            [[ $word == -- ]] && ((i++))
            _snag_command_line "${starts[i]}"
            return
        elif [[ $word == -?* ]]; then
            [[ $word == *=* ]] || wanted=${values[$word]-}
        elif [[ -z $command ]]; then
            command=$word values=()
            [[ $command == help ]] || _snag_options "$snag" "$command"
        elif [[ $command == collect && $word == diff && $place -eq 0 ]]; then
            command='collect diff' values=()
            _snag_options "$snag" "$command"
        else
            ((place++))
        fi
    done
    if [[ -z $wanted && $current == --*=* ]]; then
        wanted=${values[${current%%=*}]-} before=${current%%=*}= current=${current#*=}
    fi
    if [[ $wanted ]]; then
        _snag_value "$wanted"
    elif [[ $current == -* ]]; then
        _snag_words "${!values[*]}"
    elif [[ $command == run ]]; then
        _snag_command_line "${starts[-1]}"
    else
        _snag_place "$snag" "$command" "$place"
    fi
    COMPREPLY=("${COMPREPLY[@]/#/$before}") current=$before$current
    _snag_divide
}

complete -F _snag snag
