/**
 * ngx_http_core_module, the part that shapes each location: where its files are, which type they have, who signs its
 * pages, where its errors go. The directives that the engine obeys are declared in http/core-directives.ts.
 */

import { mapped } from '../../../config/combine.ts'
import type { Args, BlockValue, ConfOf } from '../../../config/directive.ts'
import { directive } from '../../../config/directive.ts'
import { fullName } from '../../../config/include.ts'
import type { Scope } from '../../../config/scope.ts'
import type { Position, Word } from '../../../config/source.ts'
import { type AttachContext, type HttpTree, httpModule } from '../../../http/compile/module.ts'
import { noValue } from '../../../http/compile/no-value.ts'
import { EARLY_HINTS_WANTED } from '../../../http/exchange/interim.ts'
import { GET, HEAD, methodBit, UNKNOWN } from '../../../http/message/method.ts'
import { mayBeUnsafe } from '../../../http/message/unsafe-uri.ts'
import type { CompiledErrorPage } from '../../../http/request/error-pages.ts'
import { KEEPALIVE_MSIE6, KEEPALIVE_SAFARI } from '../../../http/request/keep-alive.ts'
import type { LocationConf } from '../../../http/request/location.ts'
import type { Text } from '../../../http/request/plan.ts'
import { core, structure } from '../../../http/settings/core-directives.ts'
import { NGINX_VERSION, VERSION } from '../../../lib/version.ts'
import { resolverDirectives } from '../../../tree/resolver.ts'
import { resolverCounts } from '../../../tree/resolver-counts.ts'
import { bounded } from '../../../value/cycles.ts'
import { literal, type Template, template } from '../../../value/template.ts'
import { type ErrorLogSpec, errorLogDirectives, errorLogPaths, openErrorLog } from '../../core/error-log.ts'
import { corePrefixes, coreVariables } from './variables.ts'

/** Variables that are made of the folder themselves. */
const OF_FOLDER: ReadonlySet<string> = new Set(['document_root', 'realpath_root'])

/** Reads the folder of a location. */
function folder(name: string): Args<Template> {
  return mapped(template('path'), (value, _, at) => {
    for (const part of value.parts) {
      if (typeof part === 'string' || !('variable' in part) || !OF_FOLDER.has(part.variable)) continue
      at.fail(`the $${part.variable} variable cannot be used in the "${name}" directive`)
    }
    return value
  })
}

const files = {
  root: directive({
    in: ['http', 'server', 'location', 'if'],
    args: folder('root'),
    doc: 'The folder that URIs are looked up in: the file is the path with the URI behind it.',
  }),
  alias: directive({
    in: ['location'],
    args: folder('alias'),
    doc: 'What replaces the name of the location in a URI to make a file name.',
  }),
}

const QUIRKS = { none: 0, msie6: KEEPALIVE_MSIE6, safari: KEEPALIVE_SAFARI } as const

const directives = { ...core, ...structure, ...files, ...errorLogDirectives, ...resolverDirectives }
type Conf = ConfOf<typeof directives>

/** The module list's entry. */
export const coreModule = httpModule({
  name: 'http_core',
  doc: 'Virtual servers, locations, files, error pages.',
  directives,
  variables: coreVariables,
  prefixes: corePrefixes,
  declare(_, tree, scope) {
    // Also where no name is ever looked up.
    const { resolver } = scope.own(resolverDirectives)
    if (resolver !== undefined && resolver.statusZone !== '') resolverCounts(resolver.statusZone, tree)
  },
  attach(conf, _plan, at) {
    const { location } = at
    if (conf.large_client_header_buffers.size < conf.connection_pool_size) {
      const rule = 'size must be equal to or greater than "connection_pool_size"'
      at.fail(`the "large_client_header_buffers" ${rule}`, buffersAt(at.scope))
    }
    attachRoot(location, at)
    attachLog(conf, location, at)
    attachIdentity(conf, location)
    for (const browser of conf.keepalive_disable) location.keepAliveDisabled |= QUIRKS[browser]
    const { headerSeconds } = conf.keepalive_timeout
    if (headerSeconds > 0) location.keepAliveFields += `Keep-Alive: timeout=${headerSeconds}\r\n`
    location.types = typesOf(at.scope, at)
    location.defaultType = conf.default_type
    location.errorPages = conf.error_page.map(
      (page): CompiledErrorPage => ({
        conf: page,
        text: at.text(page.target),
        guarded: mayBeUnsafe(page.target),
      }),
    )
    location.internal = conf.internal === true
    const hints = conf.early_hints?.map((value) => at.text(value))
    if (hints !== undefined) location.set(EARLY_HINTS_WANTED, hints)
    at.tempPath(fullName(conf.client_body_temp_path.path, ''))
    const [except] = conf.limit_except
    if (except !== undefined) attachLimitExcept(except, location, at)
  },
})

function buffersAt(scope: Scope): Position | undefined {
  const { large_client_header_buffers: buffers, connection_pool_size: pool } = core
  return scope.positionOf(buffers) ?? scope.positionOf(pool) ?? (scope.parent && buffersAt(scope.parent))
}

function attachLimitExcept(block: BlockValue<readonly Word[]>, location: LocationConf, at: AttachContext): void {
  let methods = 0
  for (const word of block.args) {
    const bit = methodBit(word.text.toUpperCase())
    if (bit === UNKNOWN) at.fail(`invalid method "${word.text}"`, block.at)
    methods |= bit
  }
  if ((methods & GET) !== 0) methods |= HEAD
  location.limitExcept = { methods, location: at.pseudo(block.scope) }
}

/** `root` or `alias` of this block or of the nearest one around it that has either. */
function attachRoot(location: LocationConf, at: AttachContext): void {
  for (let scope: Scope | undefined = at.scope; scope !== undefined; scope = scope.parent) {
    const { root, alias } = scope.own(files)
    if (root === undefined && alias === undefined) continue
    if (root !== undefined && alias !== undefined) {
      const [first, second] = scope.ordered(files)
      const message = `"${second!.name}" directive is duplicate, "${first!.name}" directive was specified earlier`
      at.fail(message, second!.at)
    }
    location.root = pathText(root ?? alias!, at)
    if (alias !== undefined) setAlias(location, scope, at)
    return
  }
  location.root = pathText(literal('html'), at)
}

function setAlias(location: LocationConf, scope: Scope, at: AttachContext): void {
  const owner = scope === at.scope ? location : location.aliasOwner(scope)
  if (owner.name.startsWith('@')) {
    at.fail('the "alias" directive cannot be used inside the named location', scope.positionOf(files.alias))
  }
  // In a regular expression the alias is the whole path: it is made of captures.
  location.aliasLength = owner.regex !== undefined ? Number.POSITIVE_INFINITY : owner.name.length
}

/** A path is taken from the prefix unless it is absolute; with variables that is known when it is asked for. */
function pathText(value: Template, at: AttachContext): Text {
  const { prefix } = at.scope.env
  if (value.constant !== undefined) {
    const path = fullName(value.constant, prefix)
    return () => path
  }
  const compiled = bounded(at.text(value), (r) => noValue.cyclic(r, 'document_root'))
  return (r) => {
    const path = compiled(r)
    return path.startsWith('/') ? path : prefix + path
  }
}

function attachLog(conf: Conf, location: LocationConf, at: AttachContext): void {
  const own = ownLogs(conf, at.scope)
  if (own === undefined) {
    location.log = at.log
    return
  }
  for (const path of errorLogPaths(own)) at.logFile(path)
  location.log =
    at.role === 'worker' ? at.shared(`error_log ${JSON.stringify(own)}`, () => openErrorLog(own, at.files)) : at.log
}

/** The list that holds here, unless it is the one of the main context. */
function ownLogs(conf: Conf, scope: Scope): readonly ErrorLogSpec[] | undefined {
  let main = scope
  while (main.parent !== undefined) main = main.parent
  if (conf.error_log.length === 0 || conf.error_log === main.resolve(errorLogDirectives).error_log) return undefined
  return conf.error_log
}

function attachIdentity(conf: Conf, location: LocationConf): void {
  const nginx = conf.server_identity === 'nginx'
  const name = nginx ? 'nginx' : 'viaduct'
  const tokens = conf.server_tokens.source
  if (tokens === 'on' || tokens === 'build') location.signature = `${name}/${nginx ? NGINX_VERSION : VERSION}`
  else location.signature = tokens === 'off' ? name : tokens
  location.serverField = location.signature === '' ? '' : `Server: ${location.signature}\r\n`
}

const NO_TYPES: ReadonlyMap<string, string> = new Map([
  ['html', 'text/html'],
  ['gif', 'image/gif'],
  ['jpg', 'image/jpeg'],
])
const typesByScope = new WeakMap<Scope, ReadonlyMap<string, string>>()

/** The media types of the nearest block that declares some. */
function typesOf(scope: Scope, tree: HttpTree): ReadonlyMap<string, string> {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const known = typesByScope.get(at)
    if (known !== undefined) return known
    const { types } = at.own(core)
    if (types === undefined || types.length === 0) continue
    const map = new Map<string, string>()
    for (const block of types) {
      for (const { value, at: line } of block.entries) {
        for (const extension of value.extensions) {
          const before = map.get(extension)
          if (before !== undefined) {
            const types = `content type: "${value.type}", previous content type: "${before}"`
            tree.warn(`duplicate extension "${extension}", ${types}`, line)
          }
          map.set(extension, value.type)
        }
      }
    }
    typesByScope.set(at, map)
    return map
  }
  return NO_TYPES
}
