/** `viaduct completion SHELL`: a script for the shell, made of the declarations of the tools. */
import { FINE, type Tool, ToolFailure, type ToolOption, tool } from './frame/tool.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const

/** The tool. */
export const completion = tool({
  name: 'completion',
  summary: 'completion for bash, zsh and fish',
  usage: ['bash | zsh | fish'],
  about: 'Prints a script that completes the tools, their options and file names.',
  options: {},
  words: SHELLS,
  examples: [
    ['bash > ~/.local/share/bash-completion/completions/viaduct', 'for every bash that starts from now on'],
    ['zsh > "$fpath[1]/_viaduct"', 'the same for zsh'],
    ['fish > ~/.config/fish/completions/viaduct.fish', 'the same for fish'],
  ],
  async run(_values, [shell, ...more], console, tools) {
    const write = WRITERS[shell as keyof typeof WRITERS]
    if (write === undefined || more.length > 0) throw new ToolFailure(`which shell? ${SHELLS.join(', ')}`)
    console.out(write(await Promise.all(tools.map((entry) => entry.load()))))
    return FINE
  },
})

const NGINX_OPTIONS = '-h -v -V -t -T -q -s -p -e -c -g --help --version'

const WRITERS = { bash: bashScript, zsh: zshScript, fish: fishScript }

function bashScript(tools: readonly Tool[]): string {
  const cases = tools.map(({ name, options, words }) => {
    const values = Object.entries(options).flatMap(([long, { choices, type }]) =>
      type === 'string' ? [`        --${long}) COMPREPLY=(${replyOf(choices)}); return ;;`] : [],
    )
    const flags = ['--help', ...Object.keys(options).map((long) => `--${long}`)].join(' ')
    const plain = words === 'files' || words === 'folders' || words === undefined ? undefined : words
    return [
      `    ${name})`,
      '      case $previous in',
      ...values,
      '      esac',
      `      if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '${flags}' -- "$word"));`,
      `      else COMPREPLY=(${words === 'folders' ? '$(compgen -d -- "$word")' : replyOf(plain)}); fi ;;`,
    ].join('\n')
  })
  return `# bash completion of viaduct
_viaduct() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  compopt -o filenames 2>/dev/null
  if [[ $COMP_CWORD == 1 ]]; then
    COMPREPLY=($(compgen -W '${tools.map(({ name }) => name).join(' ')} ${NGINX_OPTIONS}' -- "$word"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
    *)
      case $previous in
        -s) COMPREPLY=($(compgen -W 'stop quit reopen reload' -- "$word")) ;;
        *) COMPREPLY=($(compgen -f -- "$word")) ;;
      esac ;;
  esac
}
complete -F _viaduct viaduct
`
}

function replyOf(choices: readonly string[] | undefined): string {
  return choices === undefined ? '$(compgen -f -- "$word")' : `$(compgen -W '${choices.join(' ')}' -- "$word")`
}

function zshScript(tools: readonly Tool[]): string {
  const quote = (text: string): string => text.replaceAll("'", "'\\''").replaceAll(/[[\]:]/g, '\\$&')
  const option = (long: string, { short, help, choices, type, multiple }: ToolOption): string => {
    const names = short === undefined ? `--${long}` : `{-${short},--${long}}`
    const value = type === 'string' ? `:value:${choices === undefined ? '_files' : `(${choices.join(' ')})`}` : ''
    const star = multiple === true ? '*' : ''
    return short === undefined
      ? `'${star}${names}[${quote(help)}]${value}'`
      : `${star === '' ? '' : "'*'"}${names}'[${quote(help)}]${value}'`
  }
  const cases = tools.map(({ name, options, words }) => {
    const rest = words === 'folders' ? '_files -/' : typeof words === 'object' ? `(${words.join(' ')})` : '_files'
    const all = Object.entries(options).map(([long, one]) => option(long, one))
    return `    ${name}) _arguments -s ${["'--help[show the help]'", ...all, `'*:word:${rest}'`].join(' ')} ;;`
  })
  return `#compdef viaduct
_viaduct() {
  if (( CURRENT == 2 )); then
    local -a tools=(${tools.map(({ name, summary }) => `'${name}:${quote(summary)}'`).join(' ')})
    _describe tool tools
    compadd -- ${NGINX_OPTIONS}
    return
  fi
  local tool=$words[2]
  shift words; (( CURRENT-- ))
  case $tool in
${cases.join('\n')}
    *) _files ;;
  esac
}
_viaduct "$@"
`
}

function fishScript(tools: readonly Tool[]): string {
  const quote = (text: string): string => `'${text.replaceAll("'", "\\'")}'`
  const lines = tools.flatMap(({ name, summary, options, words }) => [
    `complete -c viaduct -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`,
    ...(typeof words === 'object'
      ? [`complete -c viaduct -n '__fish_seen_subcommand_from ${name}' -f -a ${quote(words.join(' '))}`]
      : []),
    ...Object.entries(options).map(([long, { short, help, type, choices }]) => {
      const parts = [`complete -c viaduct -n '__fish_seen_subcommand_from ${name}' -l ${long}`]
      if (short !== undefined) parts.push(`-s ${short}`)
      if (type === 'string') parts.push(choices === undefined ? '-r' : `-x -a ${quote(choices.join(' '))}`)
      return [...parts, `-d ${quote(help)}`].join(' ')
    }),
  ])
  return `# fish completion of viaduct\n${lines.join('\n')}\n`
}
