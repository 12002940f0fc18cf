/** The list of tools: a word each, loaded when it is used. */
import type { ToolEntry } from './tool.ts'

/** All tools, as the overview shows them. */
export const TOOLS: readonly ToolEntry[] = [
  {
    name: 'fmt',
    summary: 'lays out configuration files; comments, quotes and meaning stay',
    load: async () => (await import('../fmt.ts')).fmt,
  },
  {
    name: 'completion',
    summary: 'completion for bash, zsh and fish',
    load: async () => (await import('../completion.ts')).completion,
  },
]
