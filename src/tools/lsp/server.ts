/** The language server: what editors ask, answered from the loaded configuration. */
import { fileURLToPath, pathToFileURL } from 'node:url'
import * as protocol from 'vscode-languageserver/node'
import { TextDocument } from 'vscode-languageserver-textdocument'
import type { Position as TextPosition } from '../../config/source.ts'
import { formatText } from '../fmt.ts'
import { ToolFailure } from '../frame/tool.ts'
import type { Finding, Level } from '../lint/check.ts'
import { documents, placeFix } from '../lint/fix.ts'
import { pageOf } from '../lint/report.ts'
import { registry } from '../model/model.ts'
import type { Node } from '../model/node.ts'
import { proposals } from './complete.ts'
import { exampleUrl, explain } from './explain.ts'
import { declaredText, directiveText, nameText } from './hover.ts'
import { placeIn } from './place.ts'
import type { Occurrence } from './symbols.ts'
import { type Loaded, Workspace } from './workspace.ts'

const DELAY_MS = 150
const EXPLAIN = 'viaduct.explain'
const SHOWN_LINES = 3

const SEVERITIES: Readonly<Record<Level, protocol.DiagnosticSeverity>> = {
  high: protocol.DiagnosticSeverity.Error,
  medium: protocol.DiagnosticSeverity.Warning,
  low: protocol.DiagnosticSeverity.Information,
  info: protocol.DiagnosticSeverity.Hint,
}

/** Serves an editor until it leaves. */
export function serveEditor(connection: protocol.Connection): Promise<void> {
  return new Promise((resolve) => new Server(connection, resolve))
}

class Server {
  readonly #connection: protocol.Connection
  readonly #documents = new protocol.TextDocuments(TextDocument)
  #workspace = new Workspace([], () => undefined)
  #timer: NodeJS.Timeout | undefined
  /** Files that something was told about. */
  #told = new Set<string>()

  constructor(connection: protocol.Connection, onExit: () => void) {
    this.#connection = connection
    connection.onInitialize((parameters) => this.#initialize(parameters))
    connection.onExit(onExit)
    connection.onCompletion((at) => this.#complete(at))
    connection.onHover((at) => this.#hover(at))
    connection.onDefinition((at) => this.#definition(at))
    connection.onReferences(({ context, ...at }) => this.#references(at, context.includeDeclaration))
    connection.onPrepareRename((at) => this.#prepareRename(at))
    connection.onRenameRequest(({ newName, ...at }) => this.#rename(at, newName))
    connection.onDocumentSymbol(({ textDocument }) => this.#outline(textDocument.uri))
    connection.onDocumentFormatting(({ textDocument, options }) => this.#format(textDocument.uri, options))
    connection.onDocumentRangeFormatting(({ textDocument, options, range }) =>
      this.#format(textDocument.uri, options, range),
    )
    connection.onCodeAction((request) => [...this.#actions(request), ...this.#explanations(request)])
    connection.onExecuteCommand(({ command, arguments: words = [] }) =>
      command === EXPLAIN ? this.#explain(words) : null,
    )
    this.#documents.onDidChangeContent(() => this.#changed())
    this.#documents.onDidClose(() => this.#changed())
    connection.onDidChangeWatchedFiles(() => this.#changed())
    this.#documents.listen(connection)
    connection.listen()
  }

  #initialize({ workspaceFolders, rootUri }: protocol.InitializeParams): protocol.InitializeResult {
    const uris = workspaceFolders?.map(({ uri }) => uri) ?? (typeof rootUri === 'string' ? [rootUri] : [])
    this.#workspace = new Workspace(uris.map(fileOf), (file) => this.#documents.get(uriOf(file))?.getText())
    return {
      serverInfo: { name: 'viaduct' },
      capabilities: {
        textDocumentSync: protocol.TextDocumentSyncKind.Incremental,
        completionProvider: { triggerCharacters: ['$', ' ', '@', '='] },
        hoverProvider: true,
        definitionProvider: true,
        referencesProvider: true,
        renameProvider: { prepareProvider: true },
        documentSymbolProvider: true,
        documentFormattingProvider: true,
        documentRangeFormattingProvider: true,
        codeActionProvider: { codeActionKinds: [protocol.CodeActionKind.QuickFix] },
        executeCommandProvider: { commands: [EXPLAIN] },
      },
    }
  }

  #changed(): void {
    this.#workspace.forget()
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#tell(), DELAY_MS)
  }

  /** Sends what is found in the configurations of the open files, also about files that are not open. */
  #tell(): void {
    const byFile = new Map<string, Finding[]>()
    for (const { uri } of this.#documents.all()) {
      const loaded = this.#workspace.of(fileOf(uri))
      byFile.set(fileOf(uri), byFile.get(fileOf(uri)) ?? [])
      for (const finding of loaded.findings) {
        const file = finding.at?.file
        if (file === undefined || !loaded.files.includes(file)) continue
        const list = byFile.get(file) ?? []
        if (!list.some((one) => one.fingerprint === finding.fingerprint)) list.push(finding)
        byFile.set(file, list)
      }
    }
    for (const file of this.#told) if (!byFile.has(file)) byFile.set(file, [])
    for (const [file, findings] of byFile) {
      const diagnostics = findings.map(diagnosticOf)
      void this.#connection.sendDiagnostics({ uri: uriOf(file), diagnostics })
    }
    this.#told = new Set([...byFile].filter(([, list]) => list.length > 0).map(([file]) => file))
  }

  #complete({ textDocument, position }: protocol.TextDocumentPositionParams): protocol.CompletionItem[] {
    const document = this.#documents.get(textDocument.uri)
    if (document === undefined) return []
    const file = fileOf(textDocument.uri)
    const loaded = this.#workspace.of(file)
    const place = placeIn(
      document.getText({ start: { line: 0, character: 0 }, end: position }),
      outerContext(loaded, file),
    )
    if (place === undefined) return []
    const range = {
      start: { line: position.line, character: position.character - lastPart(place.word).length },
      end: position,
    }
    return proposals(place, loaded.proposed).map(({ label, kind, detail, documentation, snippet }) => ({
      label,
      kind: COMPLETION_KINDS[kind],
      ...(detail === undefined ? {} : { detail }),
      ...(documentation === undefined ? {} : { documentation }),
      textEdit: { range: kind === 'name' ? wordRange(position, place.word) : range, newText: snippet ?? label },
      insertTextFormat: snippet === undefined ? protocol.InsertTextFormat.PlainText : protocol.InsertTextFormat.Snippet,
    }))
  }

  #hover(at: protocol.TextDocumentPositionParams): protocol.Hover | null {
    const file = fileOf(at.textDocument.uri)
    const loaded = this.#workspace.of(file)
    const short = (name: string): string => name.split('/').at(-1)!
    const name = nameAt(loaded, file, at.position)
    if (name !== undefined) return { contents: markdown(nameText(name, loaded.names, short)), range: rangeOf(name) }
    const node = nodeAt(loaded, file, at.position)
    if (node !== undefined) return { contents: markdown(directiveText(loaded.model, node, short)) }
    // Of a statement that is not finished, the word alone.
    const word = this.#wordAt(at)
    const [declared] = word === undefined ? [] : registry.named(word)
    return declared === undefined ? null : { contents: markdown(declaredText(word!, declared)) }
  }

  #wordAt({ textDocument, position }: protocol.TextDocumentPositionParams): string | undefined {
    const line = this.#documents.get(textDocument.uri)?.getText().split('\n')[position.line] ?? ''
    const before = /\w*$/.exec(line.slice(0, position.character))![0]
    const after = /^\w*/.exec(line.slice(position.character))![0]
    return before + after === '' ? undefined : before + after
  }

  #definition(at: protocol.TextDocumentPositionParams): protocol.Location[] {
    const file = fileOf(at.textDocument.uri)
    const loaded = this.#workspace.of(file)
    const name = nameAt(loaded, file, at.position)
    if (name !== undefined)
      return sameName(loaded, name)
        .filter(({ defines }) => defines)
        .map(locationOf)
    return this.#included(loaded, file, at.position)
  }

  /** The files that an include names. */
  #included(loaded: Loaded, file: string, { line }: protocol.Position): protocol.Location[] {
    const text = loaded.lineOf({ file, line: line + 1, column: 1 })
    const name = /^\s*include\s+["']?([^\s"';]+)/.exec(text)?.[1]
    if (name === undefined) return []
    const { confPrefix, source } = loaded.model.config
    const full = name.startsWith('/') ? name : confPrefix + name
    const files = /[*?[]/.test(full) ? source.glob(full) : [full]
    return files.map((one) => ({ uri: uriOf(one), range: { start: START, end: START } }))
  }

  #references(at: protocol.TextDocumentPositionParams, withDefinition: boolean): protocol.Location[] {
    const file = fileOf(at.textDocument.uri)
    const loaded = this.#workspace.of(file)
    const name = nameAt(loaded, file, at.position)
    if (name === undefined) return []
    return sameName(loaded, name)
      .filter(({ defines }) => withDefinition || !defines)
      .map(locationOf)
  }

  #prepareRename(at: protocol.TextDocumentPositionParams): { range: protocol.Range; placeholder: string } | null {
    const file = fileOf(at.textDocument.uri)
    const loaded = this.#workspace.of(file)
    const name = nameAt(loaded, file, at.position)
    // What nginx itself names cannot be renamed.
    if (name === undefined || !sameName(loaded, name).some(({ defines }) => defines)) return null
    return { range: rangeOf(name), placeholder: name.name }
  }

  #rename(at: protocol.TextDocumentPositionParams, wanted: string): protocol.WorkspaceEdit | null {
    const file = fileOf(at.textDocument.uri)
    const loaded = this.#workspace.of(file)
    const name = nameAt(loaded, file, at.position)
    if (name === undefined) return null
    const text = wanted.replace(/^\$/, '')
    const isRight =
      name.kind === 'variable'
        ? /^[a-z_]\w*$/i.test(text)
        : name.kind === 'location'
          ? /^@\S+$/.test(text)
          : /^[\w.-]+$/.test(text)
    if (!isRight)
      throw new protocol.ResponseError(
        protocol.LSPErrorCodes.RequestFailed,
        `"${wanted}" is no name for a ${name.kind}`,
      )
    const changes: Record<string, protocol.TextEdit[]> = {}
    for (const one of sameName(loaded, name))
      (changes[uriOf(one.at.file)] ??= []).push({ range: rangeOf(one), newText: text })
    return { changes }
  }

  #outline(uri: string): protocol.DocumentSymbol[] {
    const file = fileOf(uri)
    const { model } = this.#workspace.of(file)
    const list = (node: Node): protocol.DocumentSymbol[] =>
      node.children.flatMap((child) => {
        if (child.opens === undefined) return []
        if (child.at.file !== file) return list(child)
        const start = positionOf(child.at)
        const end = positionOf(child.statement.close ?? child.statement.end)
        const range = { start, end: { line: end.line, character: end.character + 1 } }
        const name = { start, end: { line: start.line, character: start.character + child.name.length } }
        return [
          { name: child.text, kind: protocol.SymbolKind.Namespace, range, selectionRange: name, children: list(child) },
        ]
      })
    return list(model.root)
  }

  #format(
    uri: string,
    { tabSize, insertSpaces }: protocol.FormattingOptions,
    range?: protocol.Range,
  ): protocol.TextEdit[] {
    const document = this.#documents.get(uri)
    if (document === undefined) return []
    const text = document.getText()
    const indent = insertSpaces ? ' '.repeat(tabSize) : '\t'
    const lines =
      range === undefined
        ? undefined
        : ([range.start.line + 1, range.end.line + (range.end.character > 0 ? 1 : 0)] as const)
    try {
      const laid = formatText(text, fileOf(uri), { indent, lines })
      if (laid === text) return []
      return [{ range: { start: START, end: document.positionAt(text.length) }, newText: laid }]
    } catch (error) {
      if (error instanceof ToolFailure) return []
      throw error
    }
  }

  #actions({ textDocument, range }: protocol.CodeActionParams): protocol.CodeAction[] {
    const file = fileOf(textDocument.uri)
    const loaded = this.#workspace.of(file)
    const documentOf = documents((name) => loaded.textOf(name))
    return loaded.findings
      .filter(({ at }) => at?.file === file && at.line - 1 >= range.start.line && at.line - 1 <= range.end.line)
      .flatMap((finding) => {
        const actions: protocol.CodeAction[] = []
        const edits = finding.fix && placeFix(finding.fix, documentOf)
        const add = (title: string, changes: Record<string, protocol.TextEdit[]>): void => {
          actions.push({
            title,
            kind: protocol.CodeActionKind.QuickFix,
            diagnostics: [diagnosticOf(finding)],
            edit: { changes },
          })
        }
        if (edits !== undefined) {
          const changes: Record<string, protocol.TextEdit[]> = {}
          for (const edit of edits) {
            const document = TextDocument.create('', '', 0, loaded.textOf(edit.file) ?? '')
            const place = { start: document.positionAt(edit.start), end: document.positionAt(edit.end) }
            ;(changes[uriOf(edit.file)] ??= []).push({ range: place, newText: edit.text })
          }
          add(sentence(finding.fix!.what), changes)
        }
        const meant = /did you mean "([^"]+)"\?/.exec(finding.message)?.[1]
        const wrong = /"([^"]+)"/.exec(finding.message)?.[1]
        if (meant !== undefined && wrong !== undefined && edits === undefined) {
          const start = positionOf(finding.at!)
          const end = { line: start.line, character: start.character + wrong.length }
          add(`Replace it by "${meant}"`, { [textDocument.uri]: [{ range: { start, end }, newText: meant }] })
        }
        if (finding.check.find.length > 0)
          add(`Allow ${finding.check.id} here`, { [textDocument.uri]: [allowance(finding, loaded)] })
        return actions
      })
  }

  /** For a location: what a request to it comes to. */
  #explanations({ textDocument, range }: protocol.CodeActionParams): protocol.CodeAction[] {
    const file = fileOf(textDocument.uri)
    const loaded = this.#workspace.of(file)
    const { model } = loaded
    const node = nodeInLine(loaded, file, range.start.line)
    const url = node && exampleUrl(node)
    if (url === undefined || model.fragment || model.diagnostics.failed) return []
    const title = `Explain ${url}`
    return [{ title, command: { title, command: EXPLAIN, arguments: [model.root.at.file, url] } }]
  }

  /** Runs `viaduct explain`; the editor shows how it begins, and gets all of it. */
  async #explain(words: readonly unknown[]): Promise<string> {
    const [conf, url] = words.map(String)
    const { text } = await explain(conf!, url!)
    void this.#connection.window.showInformationMessage(text.trim().split('\n').slice(0, SHOWN_LINES).join('\n'))
    return text
  }
}

const START: protocol.Position = { line: 0, character: 0 }
const COMPLETION_KINDS = {
  directive: protocol.CompletionItemKind.Property,
  value: protocol.CompletionItemKind.EnumMember,
  variable: protocol.CompletionItemKind.Variable,
  name: protocol.CompletionItemKind.Reference,
} as const

function fileOf(uri: string): string {
  return uri.startsWith('file:') ? fileURLToPath(uri) : uri
}

function uriOf(file: string): string {
  return file.startsWith('/') ? pathToFileURL(file).href : file
}

function positionOf({ line, column }: TextPosition): protocol.Position {
  return { line: line - 1, character: column - 1 }
}

function rangeOf({ at, length }: Occurrence): protocol.Range {
  const start = positionOf(at)
  return { start, end: { line: start.line, character: start.character + length } }
}

function locationOf(name: Occurrence): protocol.Location {
  return { uri: uriOf(name.at.file), range: rangeOf(name) }
}

function diagnosticOf({ check, level, message, at, end }: Finding): protocol.Diagnostic {
  const start = at === undefined ? START : positionOf(at)
  const last = end === undefined ? start.character + 1 : end - 1
  const why = check.find.length > 0 ? `\n${check.why}\n${check.advice}` : ''
  return {
    range: { start, end: { line: start.line, character: last } },
    severity: SEVERITIES[level],
    source: 'viaduct',
    code: check.id,
    codeDescription: { href: pageOf(check) },
    message: message + why,
  }
}

function nameAt(loaded: Loaded, file: string, { line, character }: protocol.Position): Occurrence | undefined {
  const column = character + 1
  return loaded.names.find(
    ({ at, length }) =>
      at.file === file && at.line === line + 1 && column >= at.column - 1 && column <= at.column + length,
  )
}

/** The block that begins in a line. */
function nodeInLine({ model }: Loaded, file: string, line: number): Node | undefined {
  for (const node of model.nodes)
    if (node.at.file === file && node.at.line === line + 1 && node.opens !== undefined) return node
  return undefined
}

/** The statement whose name is there. */
function nodeAt(loaded: Loaded, file: string, { line, character }: protocol.Position): Node | undefined {
  for (const node of loaded.model.nodes) {
    const { at, name } = node
    const isThere =
      at.file === file && at.line === line + 1 && character + 1 >= at.column && character + 1 <= at.column + name.length
    if (isThere && !node.isEntry) return node
  }
  return undefined
}

function sameName({ names }: Loaded, { kind, key }: Occurrence): Occurrence[] {
  return names.filter((one) => one.kind === kind && one.key === key)
}

/** The context in which the outermost statements of a file stand. */
function outerContext({ model }: Loaded, file: string): Node['context'] {
  for (const node of model.nodes) {
    if (node.at.file === file && node.parent?.at.file !== file) return node.context
  }
  return 'main'
}

/** The part of a word that a proposal takes the place of. */
function lastPart(word: string): string {
  const dollar = word.lastIndexOf('$')
  return dollar >= 0 ? word.slice(dollar) : word
}

function wordRange(position: protocol.Position, word: string): protocol.Range {
  return { start: { line: position.line, character: position.character - word.length }, end: position }
}

function markdown(value: string): protocol.MarkupContent {
  return { kind: protocol.MarkupKind.Markdown, value }
}

function sentence(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1)
}

/** A comment before the statement that allows the finding. */
function allowance({ check, at }: Finding, loaded: Loaded): protocol.TextEdit {
  const start = { line: at!.line - 1, character: 0 }
  const indent = /^\s*/.exec(loaded.lineOf(at!))![0]
  return { range: { start, end: start }, newText: `${indent}# lint: allow ${check.id}\n` }
}
