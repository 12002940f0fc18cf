/**
 * The project's TypeScript files, parsed once by the compiler, with what the rules ask of them: imports, exports, places.
 * Paths are relative to the project's root.
 */
import path from 'node:path'
import { type Node, type SourceFile, SyntaxKind } from 'typescript/unstable/ast'
import {
  isCallExpression,
  isExportDeclaration,
  isIdentifier,
  isImportDeclaration,
  isImportTypeNode,
  isLiteralTypeNode,
  isNamedImports,
  isNamespaceImport,
  isStringLiteral,
  isVariableStatement,
} from 'typescript/unstable/ast/is'
import { API } from 'typescript/unstable/sync'

/** Something that breaks a rule. */
export interface Finding {
  readonly path: string
  readonly line: number
  readonly message: string
}

/** One import of a file, or a re-export. */
export interface Import {
  /** The file, relative to the root; or the specifier as written when it is a package. */
  readonly target: string
  readonly isFile: boolean
  /** Nothing of it is left when types are stripped. */
  readonly typeOnly: boolean
  /** The names taken; `*` stands for all of them. */
  readonly names: readonly string[]
  readonly reexport: boolean
  readonly line: number
}

/** One exported name. */
export interface Export {
  readonly name: string
  readonly isType: boolean
  readonly line: number
  readonly statement: Node
}

/** One parsed file. */
export class TreeFile {
  readonly path: string
  readonly source: SourceFile
  readonly #root: string
  #imports: readonly Import[] | undefined
  #exports: readonly Export[] | undefined

  constructor(root: string, source: SourceFile) {
    this.#root = root
    this.source = source
    this.path = path.relative(root, source.fileName)
  }

  get text(): string {
    return this.source.text
  }

  get lineCount(): number {
    return this.text.split('\n').length - (this.text.endsWith('\n') ? 1 : 0)
  }

  /** The line of a position, counted from 1. */
  lineAt(position: number): number {
    return this.source.getLineAndCharacterOfPosition(position).line + 1
  }

  /** The line on which a node begins, comments before it left out. */
  lineOf(node: Node): number {
    return this.lineAt(node.getStart(this.source))
  }

  finding(node: Node, message: string): Finding {
    return { path: this.path, line: this.lineOf(node), message }
  }

  get imports(): readonly Import[] {
    this.#imports ??= collectImports(this, this.#root)
    return this.#imports
  }

  get exports(): readonly Export[] {
    this.#exports ??= this.source.statements.filter(isExported).flatMap((statement) => exportsOf(this, statement))
    return this.#exports
  }
}

/** Parses the files of the project in `root`, which has a `tsconfig.json`. */
export function parseTree(root: string): readonly TreeFile[] {
  const api = new API({ cwd: root })
  try {
    const config = path.join(root, 'tsconfig.json')
    const project = api.updateSnapshot({ openProjects: [config] }).getProject(config)
    if (project === undefined) throw new Error(`${config} cannot be opened`)
    const sources = project.rootFiles.map((name) => project.program.getSourceFile(name))
    return sources.filter((source) => source !== undefined).map((source) => new TreeFile(root, source))
  } finally {
    api.close()
  }
}

/** Calls `visit` for a node and all below it, the outer ones first; what is below a node it answers false for is left out. */
export function walk(node: Node, visit: (node: Node) => unknown): void {
  if (visit(node) === false) return
  node.forEachChild((child) => walk(child, visit))
}

/** Tells whether a declaration has a modifier. */
export function hasModifier(node: Node, kind: SyntaxKind): boolean {
  const { modifiers } = node as Node & { readonly modifiers?: readonly Node[] }
  return modifiers?.some((modifier) => modifier.kind === kind) ?? false
}

function isExported(statement: Node): boolean {
  return hasModifier(statement, SyntaxKind.ExportKeyword)
}

function exportsOf(file: TreeFile, statement: Node): Export[] {
  const isType =
    statement.kind === SyntaxKind.InterfaceDeclaration || statement.kind === SyntaxKind.TypeAliasDeclaration
  const named: readonly Node[] = isVariableStatement(statement) ? statement.declarationList.declarations : [statement]
  return named.flatMap((declaration) => {
    const { name } = declaration as Node & { readonly name?: Node }
    return namesIn(name).map((text) => ({ name: text, isType, line: file.lineOf(statement), statement }))
  })
}

function namesIn(name: Node | undefined): string[] {
  if (name === undefined) return []
  if (isIdentifier(name)) return [name.text]
  const names: string[] = []
  walk(name, (node) => {
    if (isIdentifier(node)) names.push(node.text)
  })
  return names
}

function collectImports(file: TreeFile, root: string): Import[] {
  const found: Import[] = []
  const add = (specifier: Node, rest: Pick<Import, 'typeOnly' | 'names' | 'reexport'>): void => {
    if (!isStringLiteral(specifier)) return
    const { text } = specifier
    const isFile = text.startsWith('.')
    const target = isFile ? path.relative(root, path.resolve(root, path.dirname(file.path), text)) : text
    found.push({ target, isFile, line: file.lineOf(specifier), ...rest })
  }
  walk(file.source, (node) => {
    if (isImportDeclaration(node)) add(node.moduleSpecifier, { ...bindings(node), reexport: false })
    else if (isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      add(node.moduleSpecifier, { typeOnly: node.isTypeOnly, names: ['*'], reexport: true })
    } else if (isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword) {
      add(node.arguments[0]!, { typeOnly: false, names: ['*'], reexport: false })
    } else if (isImportTypeNode(node) && isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, { typeOnly: true, names: ['*'], reexport: false })
    }
  })
  return found
}

function bindings(node: Node): Pick<Import, 'typeOnly' | 'names'> {
  if (!isImportDeclaration(node) || node.importClause === undefined) return { typeOnly: false, names: [] }
  const { importClause } = node
  const wholeType = importClause.phaseModifier === SyntaxKind.TypeKeyword
  const { namedBindings } = importClause
  if (namedBindings === undefined) return { typeOnly: wholeType, names: ['*'] }
  if (isNamespaceImport(namedBindings) || !isNamedImports(namedBindings)) return { typeOnly: wholeType, names: ['*'] }
  const { elements } = namedBindings
  const names = elements.map((element) => (element.propertyName ?? element.name).text)
  return { typeOnly: wholeType || (elements.length > 0 && elements.every((element) => element.isTypeOnly)), names }
}
