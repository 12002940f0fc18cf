/**
 * ngx_http_rewrite_module: `if`, `set`, `rewrite`, `return`, `break`. The directives of a block are a program that runs
 * in file order; blocks of `if` are part of it, and make a location of their own for all that is not a rewrite rule.
 *
 * Unlike nginx, `if` in a server may hold other directives than rewrite rules (`add_header`): they are in force until
 * the location is found, hence for a `return` or a redirect of the server's rules.
 */
import { flag, none } from '../../../config/args.ts'
import {
  type BlockValue,
  block,
  type ConfOf,
  directive,
  directives,
  type ScopeView,
} from '../../../config/directive.ts'
import type { Position } from '../../../config/source.ts'
import type { HttpTree } from '../../../http/compile/module.ts'
import { type AttachContext, httpModule } from '../../../http/compile/module.ts'
import {
  type Condition,
  type ReturnRule,
  type RewriteRule,
  readCondition,
  returnArgs,
  rewriteArgs,
  setArgs,
} from './args.ts'
import { compileCondition } from './condition.ts'
import { BreakOp, IfOp, type Op, ReturnOp, RewriteOp, runProgram, SetOp, scriptText } from './program.ts'

const PLACES = ['server', 'server_if', 'location', 'if'] as const

const ifInServer = block({
  in: ['server'],
  args: readCondition,
  opens: 'server_if',
  doc: 'Rules of the server that hold when the condition is true.',
})

const ifInLocation = block({
  in: ['location'],
  args: readCondition,
  opens: 'if',
  doc: 'Rules and settings that hold when the condition is true.',
})

const rules = {
  set: directives({ in: PLACES, args: setArgs, inheritance: 'never', doc: 'Gives a variable a value.' }),
  rewrite: directives({
    in: PLACES,
    args: rewriteArgs,
    inheritance: 'never',
    doc: 'Replaces the URI when it matches a regular expression, or redirects the client.',
  }),
  return: directives({
    in: PLACES,
    args: returnArgs,
    inheritance: 'never',
    doc: 'Ends the request with a status, a text or a redirect. 444 closes the connection without an answer.',
  }),
  break: directives({ in: PLACES, args: none, inheritance: 'never', doc: 'Ends the rules of this round.' }),
}

const settings = {
  rewrite_log: directive({
    in: ['http', ...PLACES],
    args: flag,
    default: 'off',
    doc: 'Logs what the rules do at level notice.',
  }),
  uninitialized_variable_warn: directive({
    in: ['http', ...PLACES],
    args: flag,
    default: 'on',
    doc: 'Logs the use of variables that nothing was given to.',
  }),
}

/** Everything that is part of a program, in the order of the file. */
const program = { ...rules, if: ifInLocation, server_if: ifInServer }
const declared = { ...rules, if: ifInLocation, ...settings }

/** The module list's entry. */
export const rewriteModule = httpModule({
  name: 'http_rewrite',
  doc: 'Rules that change URIs, set variables and answer at once.',
  directives: declared,
  declare(_conf, tree, scope) {
    declareRules(tree, scope)
  },
  attach(conf, plan, at) {
    const { location, scope } = at
    location.warnsUninitialized = conf.uninitialized_variable_warn
    // The rules of an `if` belong to the program around it; limit_except has none.
    if (scope.context !== 'server' && scope.context !== 'location') return
    const ops = compileRules(conf, scope, at)
    if (ops.length > 0) plan.rewrite(runProgram, ops)
  },
})

/** `if` in a server: a directive of its own, because its block is another context. */
export const serverIfModule = httpModule({
  name: 'http_rewrite_server_if',
  doc: 'Conditions in the rules of a server.',
  directives: { if: ifInServer },
})

function declareRules(tree: HttpTree, scope: ScopeView): void {
  for (const { name, value, at } of scope.ordered(program)) {
    if (name === 'set') declareVariable(value.variable, tree, at)
    else if (name === 'rewrite') tree.pattern(value.pattern)
    else if ((name === 'if' || name === 'server_if') && value.args.kind === 'regex') tree.pattern(value.args.pattern)
  }
}

function declareVariable(name: string, tree: HttpTree, at: Position): void {
  if (tree.variables.isFixed(name)) tree.fail(`the duplicate "${name}" variable`, at)
  else tree.variables.settable(name, true)
}

type Settings = ConfOf<typeof settings>

function compileRules(conf: Settings, scope: ScopeView, at: AttachContext): readonly Op[] {
  const ops: Op[] = []
  for (const { name, value, at: place } of scope.ordered(program)) {
    if (name === 'set') ops.push(new SetOp(place, at.setter(value.variable), scriptText(value.value, at)))
    else if (name === 'break') ops.push(new BreakOp(place))
    else if (name === 'return') ops.push(compileReturn(value, place, at))
    else if (name === 'rewrite') ops.push(compileRewrite(value, place, conf, at))
    else ops.push(compileIf(value, place, conf, at))
  }
  return ops
}

function compileReturn(rule: ReturnRule, place: Position, at: AttachContext): Op {
  return new ReturnOp(place, rule.status, rule.text === undefined ? undefined : at.text(rule.text), rule.text?.constant)
}

function compileRewrite(rule: RewriteRule, place: Position, conf: Settings, at: AttachContext): Op {
  return new RewriteOp(place, at.pattern(rule.pattern), rule, conf.rewrite_log, at)
}

function compileIf(value: BlockValue<Condition>, place: Position, conf: Settings, at: AttachContext): Op {
  const test = compileCondition(value.args, conf.rewrite_log, at)
  return new IfOp(place, test, at.pseudo(value.scope), compileRules(conf, value.scope, at))
}
