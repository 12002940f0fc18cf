/**
 * What may not be written: anywhere `any`, and in the data plane what costs or hides time: promises, emitters, streams,
 * exceptions, private getters, spread in calls. A line with a `tidy:` comment, or after one, says why it may.
 */
import { type Node, SyntaxKind } from 'typescript/unstable/ast'
import {
  isCallExpression,
  isGetAccessorDeclaration,
  isIdentifier,
  isImportDeclaration,
  isNewExpression,
  isPrivateIdentifier,
  isPropertyAccessExpression,
  isStringLiteral,
} from 'typescript/unstable/ast/is'
import { type Finding, hasModifier, type TreeFile, walk } from './source-tree.ts'

const DATA_PLANE = /^src\/(?:net|tls|http|upstream|stream|shared|value|modules\/http|modules\/stream)\//
const LISTENING: ReadonlySet<string> = new Set(['on', 'once', 'addListener', 'addEventListener'])
const STREAMS = /^node:(?:stream|events|readline)(?:\/|$)/
/** A reason is a sentence, not a word. */
const REASON = /\/\/ tidy: \S+(?: \S+){2,}/

/** Checks the code of all files. */
export function checkCode(files: readonly TreeFile[]): Finding[] {
  return files.flatMap((file) => {
    const lines = file.text.split('\n')
    const findings: Finding[] = []
    walk(file.source, (node) => {
      const message = everywhere(file, node) ?? (DATA_PLANE.test(file.path) ? inDataPlane(file, node) : undefined)
      if (message !== undefined && !hasReason(file, node, lines)) findings.push(file.finding(node, message))
    })
    return findings
  })
}

function hasReason(file: TreeFile, node: Node, lines: readonly string[]): boolean {
  const line = file.lineOf(node) - 1
  return REASON.test(lines[line] ?? '') || REASON.test(lines[line - 1] ?? '')
}

function everywhere(file: TreeFile, node: Node): string | undefined {
  if (node.kind === SyntaxKind.AnyKeyword) return '`any` says nothing'
  if (isCallExpression(node) && calls(node.expression, 'process', 'exit') && /^src\/(?!main\.ts$)/.test(file.path)) {
    return 'only main.ts ends the process'
  }
  return undefined
}

function inDataPlane(file: TreeFile, node: Node): string | undefined {
  switch (node.kind) {
    case SyntaxKind.AwaitExpression:
      return 'the data plane awaits nothing'
    case SyntaxKind.TryStatement:
      return 'the data plane has no exceptions'
    case SyntaxKind.GetAccessor:
      return isGetAccessorDeclaration(node) && isPrivateIdentifier(node.name)
        ? 'V8 calls its runtime for a private getter, which a method does without'
        : undefined
    case SyntaxKind.SpreadElement:
      return isCallExpression(node.parent) || isNewExpression(node.parent)
        ? 'a spread makes an array per call'
        : undefined
    default:
      if (hasModifier(node, SyntaxKind.AsyncKeyword)) return 'the data plane has no async functions'
      return promiseProblem(node) ?? emitterProblem(file, node)
  }
}

function promiseProblem(node: Node): string | undefined {
  if (isNewExpression(node) && isIdentifier(node.expression) && node.expression.text === 'Promise') {
    return 'the data plane makes no promises'
  }
  if (!isCallExpression(node) || !isPropertyAccessExpression(node.expression)) return undefined
  const { expression, name } = node.expression
  if (isIdentifier(expression) && expression.text === 'Promise') return 'the data plane makes no promises'
  return name.text === 'then' ? 'promises enter the data plane by Request.waitFor' : undefined
}

function emitterProblem(file: TreeFile, node: Node): string | undefined {
  if (file.path.startsWith('src/net/')) return undefined
  if (isImportDeclaration(node) && isStringLiteral(node.moduleSpecifier) && STREAMS.test(node.moduleSpecifier.text)) {
    return `the data plane has no use for ${node.moduleSpecifier.text}`
  }
  if (!isCallExpression(node) || !isPropertyAccessExpression(node.expression)) return undefined
  return LISTENING.has(node.expression.name.text) ? 'the data plane has owners, not emitters' : undefined
}

function calls(node: Node, object: string, method: string): boolean {
  if (!isPropertyAccessExpression(node) || node.name.text !== method) return false
  return isIdentifier(node.expression) && node.expression.text === object
}
