/**
 * As much of VS Code's module as the language client asks for: what it registers and is told is written down in `said`. Names
 * that the client only mentions are there as empty classes.
 */
const fs = require('node:fs')
const { fileURLToPath, pathToFileURL } = require('node:url')

const said = []
const noted =
  (kind) =>
  (...args) => {
    said.push([kind, ...args])
    return { dispose() {} }
  }

class Emitter {
  #listeners = []
  event = (listener, self) => {
    this.#listeners.push(self === undefined ? listener : listener.bind(self))
    return { dispose() {} }
  }
  fire(value) {
    for (const listener of this.#listeners) listener(value)
  }
  dispose() {}
}

class Disposable {
  constructor(dispose = () => {}) {
    this.dispose = dispose
  }
}

class CancellationTokenSource {
  token = { isCancellationRequested: false, onCancellationRequested: new Emitter().event }
  cancel() {}
  dispose() {}
}

class Position {
  constructor(line, character) {
    Object.assign(this, { line, character })
  }
}

class Range {
  constructor(startLine, startCharacter, endLine, endCharacter) {
    const isPair = typeof startLine !== 'number'
    this.start = isPair ? startLine : new Position(startLine, startCharacter)
    this.end = isPair ? startCharacter : new Position(endLine, endCharacter)
  }
}

class Uri {
  constructor(text) {
    const url = new URL(text)
    Object.assign(this, { text, scheme: url.protocol.slice(0, -1), path: url.pathname })
    this.fsPath = this.scheme === 'file' ? fileURLToPath(text) : url.pathname
  }
  toString() {
    return this.text
  }
  static parse(text) {
    return new Uri(text)
  }
  static file(name) {
    return new Uri(String(pathToFileURL(name)))
  }
}

class Hover {
  constructor(contents, range) {
    Object.assign(this, { contents, range })
  }
}

class MarkdownString {
  constructor(value = '') {
    this.value = value
  }
  appendCodeblock(text) {
    this.value += text
  }
}

class Diagnostic {
  constructor(range, message, severity) {
    Object.assign(this, { range, message, severity })
  }
}

/** Makes what is not there when it is asked for. */
const filled = (base) =>
  new Proxy(base, {
    get(of, name) {
      if (name in of || typeof name === 'symbol') return of[name]
      if (/^on(?:Did|Will)/.test(name)) of[name] = new Emitter().event
      else if (/^(?:register|create)/.test(name)) of[name] = noted(name)
      else if (/^[A-Z]/.test(name)) of[name] = filled(class {})
      return of[name]
    },
  })

const opened = new Emitter()
const channel = filled({ show() {}, clear() {}, dispose() {}, onDidChangeLogLevel: new Emitter().event })
for (const level of ['append', 'appendLine', 'trace', 'debug', 'info', 'warn', 'error']) channel[level] = noted(level)

module.exports = filled({
  said,
  opened,
  CancellationTokenSource,
  Diagnostic,
  Disposable,
  EventEmitter: Emitter,
  Hover,
  MarkdownString,
  Position,
  Range,
  Uri,
  version: '1.91.0',
  env: { language: 'en', appName: 'fake' },
  workspace: filled({
    textDocuments: [],
    notebookDocuments: [],
    workspaceFolders: undefined,
    onDidOpenTextDocument: opened.event,
    getConfiguration: () => ({ get: (name) => (name === 'command' ? process.env.VIADUCT : undefined) }),
    createFileSystemWatcher: () => filled({ dispose() {} }),
    getWorkspaceFolder: () => undefined,
  }),
  window: filled({
    visibleTextEditors: [],
    tabGroups: filled({ all: [] }),
    createOutputChannel: () => channel,
    showErrorMessage: async (...args) => void said.push(['shown', ...args]),
  }),
  languages: filled({
    match: (_selector, { languageId }) => (languageId === 'nginx' ? 10 : 0),
    createDiagnosticCollection: () => ({
      set: (uri, list) => void said.push(['diagnostics', String(uri), list]),
      delete() {},
      clear() {},
      dispose() {},
    }),
  }),
  commands: filled({ executeCommand: async () => undefined }),
})

// A bundle copies what the module has when it is loaded: all that it names is made before.
const bundle = fs.readFileSync(process.env.BUNDLE, 'utf8')
for (const [, name] of bundle.matchAll(/\b(?:code|vscode)(?:\$\d+|_\d+)?\.([A-Za-z]\w+)/g)) void module.exports[name]
