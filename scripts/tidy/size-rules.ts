/** Files and functions stay small. */
import { type Node, SyntaxKind } from 'typescript/unstable/ast'
import { type Finding, type TreeFile, walk } from './source-tree.ts'

/** Longest file, in lines. */
const FILE_LINES_MAX = 700
/** Longest function, in lines. */
const FUNCTION_LINES_MAX = 70

const FUNCTIONS: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.FunctionExpression,
  SyntaxKind.ArrowFunction,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.Constructor,
  SyntaxKind.GetAccessor,
  SyntaxKind.SetAccessor,
])

/** Checks sizes; `exempt` has the functions that may be longer, as `path#name`, with the reason. */
export function checkSizes(files: readonly TreeFile[], exempt: Readonly<Record<string, string>>): Finding[] {
  const unused = new Set(Object.keys(exempt))
  const findings: Finding[] = []
  for (const file of files) {
    const { lineCount } = file
    if (lineCount > FILE_LINES_MAX) {
      findings.push({ path: file.path, line: 1, message: `${lineCount} lines: a file has at most ${FILE_LINES_MAX}` })
    }
    for (const { name, node, lines } of functionsOf(file)) {
      if (lines <= FUNCTION_LINES_MAX) continue
      if (exempt[`${file.path}#${name}`] !== undefined) unused.delete(`${file.path}#${name}`)
      else findings.push(file.finding(node, `${name} has ${lines} lines: a function has at most ${FUNCTION_LINES_MAX}`))
    }
  }
  for (const key of unused) findings.push({ path: key.split('#')[0]!, line: 1, message: `${key} needs no exemption` })
  return findings
}

/** Lists the functions of a file with their lengths. */
export function functionsOf(file: TreeFile): { readonly name: string; readonly node: Node; readonly lines: number }[] {
  const found: { name: string; node: Node; lines: number }[] = []
  walk(file.source, (node) => {
    if (FUNCTIONS.has(node.kind)) {
      found.push({ name: nameOf(node), node, lines: file.lineAt(node.end) - file.lineOf(node) + 1 })
    }
  })
  return found
}

function nameOf(node: Node): string {
  if (node.kind === SyntaxKind.Constructor) return 'constructor'
  const { name } = node as Node & { readonly name?: Node & { readonly text?: string } }
  if (name?.text !== undefined) return name.text
  const { name: outer } = node.parent as Node & { readonly name?: Node & { readonly text?: string } }
  return outer?.text ?? 'a function'
}
