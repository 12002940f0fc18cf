/** Starts `viaduct lsp` for files of nginx; everything else is the server's affair. */
import * as vscode from 'vscode'
import { LanguageClient } from 'vscode-languageclient/node'

let client: LanguageClient | undefined

/** Called by the editor when the first such file is opened. */
export async function activate(context: vscode.ExtensionContext): Promise<void> {
  context.subscriptions.push(
    vscode.commands.registerCommand('viaduct.restart', restart),
    vscode.workspace.onDidChangeConfiguration((change) => (change.affectsConfiguration('viaduct.command') ? restart() : undefined)),
  )
  await start()
}

/** Called by the editor before it ends. */
export async function deactivate(): Promise<void> {
  await client?.stop()
}

async function restart(): Promise<void> {
  await client?.stop().catch(() => undefined)
  await start()
}

async function start(): Promise<void> {
  const command = vscode.workspace.getConfiguration('viaduct').get<string>('command') ?? 'viaduct'
  const watched = vscode.workspace.createFileSystemWatcher('**/*.{conf,nginx,pem,types}')
  client = new LanguageClient(
    'viaduct',
    'Viaduct',
    { command, args: ['lsp', '--stdio'] },
    { documentSelector: [{ scheme: 'file', language: 'nginx' }], synchronize: { fileEvents: watched } },
  )
  try {
    await client.start()
  } catch {
    const answer = await vscode.window.showErrorMessage(
      `"${command} lsp" does not start. Install Viaduct (npm install -g viaduct), or say where it is.`,
      'Settings',
    )
    if (answer === 'Settings') await vscode.commands.executeCommand('workbench.action.openSettings', 'viaduct.command')
  }
}
