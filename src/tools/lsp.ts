/** `viaduct lsp`: the language server for editors. What it needs is loaded when it runs. */
import { FINE, tool } from './frame/tool.ts'

/** The tool. */
export const lsp = tool({
  name: 'lsp',
  summary: 'language server for editors: checks, completion, hover, renaming, layout',
  usage: [''],
  about:
    'Speaks the Language Server Protocol over standard input and output. Files are looked at as parts of the configuration that\n' +
    'includes them: nginx.conf or *.nginx in their folder, one above it, or a folder of the editor.',
  options: {
    stdio: { type: 'boolean', help: 'what it does anyway; many editors say it' },
  },
  words: [],
  examples: [
    ['', "neovim: vim.lsp.start({ name = 'viaduct', cmd = { 'viaduct', 'lsp' }, root_dir = vim.fn.getcwd() })"],
  ],
  async run() {
    const { createConnection, ProposedFeatures } = await import('vscode-languageserver/node')
    const { serveEditor } = await import('./lsp/server.ts')
    await serveEditor(createConnection(ProposedFeatures.all, process.stdin, process.stdout))
    return FINE
  },
})
