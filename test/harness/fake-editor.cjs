/** Opens a file in the extension, as an editor would, and prints what came of it as JSON. Arguments: the file, a line, a column. */
const vscode = require('vscode')
const fs = require('node:fs')
const { setTimeout: pause } = require('node:timers/promises')
const extension = require(process.env.BUNDLE)

const [file, line, column] = process.argv.slice(2)

async function run() {
  await extension.activate({ subscriptions: [] })
  const text = fs.readFileSync(file, 'utf8')
  const uri = vscode.Uri.file(file)
  const document = { uri, languageId: 'nginx', version: 1, getText: () => text, isClosed: false, fileName: file }
  vscode.workspace.textDocuments.push(document)
  vscode.opened.fire(document)
  const given = (kind) => vscode.said.find(([one]) => one === kind)
  while (given('diagnostics') === undefined) await pause(20)
  const hover = await given('registerHoverProvider')[2].provideHover(
    document,
    new vscode.Position(Number(line), Number(column)),
    new vscode.CancellationTokenSource().token,
  )
  const [, , diagnostics] = given('diagnostics')
  const told = {
    registered: vscode.said.map(([kind]) => kind).filter((kind) => kind.startsWith('register')),
    diagnostics: diagnostics.map(({ message, range }) => [range.start.line, message]),
    hover: [hover.contents].flat().map(({ value }) => value).join('\n'),
    shown: vscode.said.filter(([kind]) => kind === 'shown' || kind === 'error'),
  }
  await extension.deactivate()
  process.stdout.write(JSON.stringify(told))
}

run().then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`${error.stack}\n`)
    process.exit(1)
  },
)
