/**
 * Files export little: what somebody uses, by name, with a sentence on what it promises.
 *
 * Constants that follow each other without a blank line stand for an enumeration, which erasable syntax does not have:
 * they count as one export, one comment is for all, and they are used when one of them is.
 */
import { type Node, SyntaxKind } from 'typescript/unstable/ast'
import { isExportAssignment, isIdentifier, isVariableStatement } from 'typescript/unstable/ast/is'
import { type Export, type Finding, hasModifier, type TreeFile, walk } from './source-tree.ts'

/** Most exports per file of src/, on average. */
const EXPORTS_AVERAGE_MAX = 3

/** Checks the exports of all files; what only tests use counts as used. */
export function checkExports(files: readonly TreeFile[]): Finding[] {
  const used = usedNames(files)
  const findings = files.flatMap((file) => [...defaultExports(file), ...fileFindings(file, used)])
  const sources = files.filter((file) => file.path.startsWith('src/'))
  const average = averageOf(sources)
  if (average <= EXPORTS_AVERAGE_MAX) return findings
  const message = `${average.toFixed(2)} exports per file: at most ${EXPORTS_AVERAGE_MAX}`
  return [...findings, { path: 'src', line: 1, message }]
}

function averageOf(files: readonly TreeFile[]): number {
  return files.reduce((sum, file) => sum + groupsOf(file).length, 0) / Math.max(1, files.length)
}

function fileFindings(file: TreeFile, used: ReadonlySet<string>): Finding[] {
  const groups = groupsOf(file)
  const values = groups.filter(([first]) => !first!.isType)
  const findings: Finding[] = []
  for (const group of groups) {
    const [first] = group
    const at = { path: file.path, line: first!.line }
    // The comment of a file is about its only value.
    const told = hasContract(file, first!.statement) || (values.length === 1 && group === values[0])
    if (!told) findings.push({ ...at, message: `${first!.name} is exported without a comment` })
    if (!group.some((one) => isUsed(file, one, used))) {
      findings.push({ ...at, message: `${first!.name} is exported and nobody imports it` })
    }
  }
  return findings
}

/** The exports of a file, enumerations together. */
function groupsOf(file: TreeFile): Export[][] {
  const groups: Export[][] = []
  for (const one of file.exports) {
    const last = groups.at(-1)
    const before = last?.at(-1)
    if (before !== undefined && follows(file, before.statement, one.statement)) last!.push(one)
    else groups.push([one])
  }
  return groups
}

function follows(file: TreeFile, before: Node, statement: Node): boolean {
  if (before === statement) return true
  if (before.kind === SyntaxKind.FunctionDeclaration && before.kind === statement.kind) {
    return nameOf(before) === nameOf(statement) // the forms of an overloaded function
  }
  if (!isVariableStatement(before) || !isVariableStatement(statement)) return false
  return (
    file.lineAt(statement.getStart(file.source)) === file.lineAt(before.end) + 1 || !hasGap(file, before, statement)
  )
}

/** A comment between two constants is about the second, which still belongs to the block; a blank line ends it. */
function hasGap(file: TreeFile, before: Node, statement: Node): boolean {
  return /\n[ \t]*\n/.test(file.text.slice(before.end, statement.getStart(file.source)))
}

function usedNames(files: readonly TreeFile[]): ReadonlySet<string> {
  const used = new Set<string>()
  for (const file of files) {
    for (const { target, names } of file.imports) for (const name of names) used.add(`${target}#${name}`)
  }
  return used
}

/** A type that another export of its file names belongs to what that one promises. */
function isUsed(file: TreeFile, one: Export, used: ReadonlySet<string>): boolean {
  if (used.has(`${file.path}#${one.name}`) || used.has(`${file.path}#*`)) return true
  const isType = one.isType || one.statement.kind === SyntaxKind.ClassDeclaration
  return isType && file.exports.some((other) => other.statement !== one.statement && names(other.statement, one.name))
}

function names(statement: Node, name: string): boolean {
  let found = false
  walk(statement, (node) => {
    if (isIdentifier(node) && node.text === name) found = true
    return node.kind !== SyntaxKind.Block
  })
  return found
}

function defaultExports(file: TreeFile): Finding[] {
  return file.source.statements
    .filter((statement) => isExportAssignment(statement) || hasModifier(statement, SyntaxKind.DefaultKeyword))
    .map((statement) => file.finding(statement, 'a default export has no name to search for'))
}

/** The comment of a declaration stands right before it; the first in a file may be that of the file. */
function hasContract(file: TreeFile, statement: Node): boolean {
  const before = file.text.slice(statement.pos, statement.getStart(file.source)).trimEnd()
  if (!before.endsWith('*/')) return false
  const count = before.split('/**').length - 1
  return count > (file.source.statements[0] === statement ? 1 : 0)
}

function nameOf(node: Node): string | undefined {
  return (node as Node & { readonly name?: { readonly text: string } }).name?.text
}
