/** The list of tools: a word each, loaded when it is used. */
import type { ToolEntry } from './tool.ts'

/** All tools, as the overview shows them. */
export const TOOLS: readonly ToolEntry[] = [
  {
    name: 'serve',
    summary: 'serves a folder at once, with back ends, WebSockets and TLS',
    load: async () => (await import('../serve.ts')).serve,
  },
  {
    name: 'init',
    summary: 'writes the configuration of an application: development and production',
    load: async () => (await import('../init.ts')).init,
  },
  {
    name: 'lint',
    summary: 'finds what is wrong with a configuration although the server starts',
    load: async () => (await import('../lint.ts')).lint,
  },
  {
    name: 'explain',
    summary: 'says what becomes of a request, and which line decides it',
    load: async () => (await import('../explain/explain.ts')).explain,
  },
  {
    name: 'fmt',
    summary: 'lays out configuration files; comments, quotes and meaning stay',
    load: async () => (await import('../fmt.ts')).fmt,
  },
  {
    name: 'dump',
    summary: "prints a configuration with its includes, also as crossplane's JSON",
    load: async () => (await import('../dump.ts')).dump,
  },
  {
    name: 'build',
    summary: "writes configuration files from crossplane's JSON",
    load: async () => (await import('../build.ts')).build,
  },
  {
    name: 'diff',
    summary: 'what another configuration changes for requests, not in the text',
    load: async () => (await import('../diff.ts')).diff,
  },
  {
    name: 'types',
    summary: 'the types of a configuration in TypeScript (viaduct.config.ts)',
    load: async () => (await import('../types.ts')).types,
  },
  {
    name: 'lsp',
    summary: 'language server for editors: checks, completion, hover, renaming, layout',
    load: async () => (await import('../lsp.ts')).lsp,
  },
  {
    name: 'completion',
    summary: 'completion for bash, zsh and fish',
    load: async () => (await import('../completion.ts')).completion,
  },
]
