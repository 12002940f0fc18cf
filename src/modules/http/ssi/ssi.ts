/**
 * ngx_http_ssi_filter_module: commands in pages (server-side includes). A page is worked on as it passes; what it
 * includes runs beside it and takes its place in the response, unless the page says that it waits.
 */

import { flag, size } from '../../../config/args.ts'
import { type ConfOf, directive, directives } from '../../../config/directive.ts'
import { httpModule } from '../../../http/compile/module.ts'
import { type BodySink, FLUSH, LAST, LENT, STABLE } from '../../../http/message/body.ts'
import { MimeSet, mimeTypes } from '../../../http/message/mime-set.ts'
import type { Request } from '../../../http/request/request.ts'
import { defineSlot } from '../../../http/request/slots.ts'
import { HoldingFilter } from '../../../http/response/holding-filter.ts'
import { GATHERED_MAX, PieceGatherer } from '../../../http/response/piece-gatherer.ts'
import { type OrderedBody, orderedBody } from '../../../http/subrequest/ordered-body.ts'
import type { Subrequest } from '../../../http/subrequest/subrequest.ts'
import { clock } from '../../../lib/clock.ts'
import { strftime } from '../../../lib/strftime.ts'
import { ERROR } from '../../../log/error-log.ts'
import { type Later, postpone } from '../../../net/flush.ts'
import type { VariableTable } from '../../../value/variables.ts'
import { type SsiCommand, type SsiPage, ssiCommands } from './commands.ts'
import { COMMAND_BAD, COMMAND_READ, MARK, SsiParser, type SsiReceiver } from './parser.ts'
import { ssiState } from './values.ts'

const HSL = ['http', 'server', 'location'] as const
const TIME_FORMAT = '%A, %d-%b-%Y %H:%M:%S %Z'
const ERROR_MESSAGE = '[an error occurred while processing the directive]'
const PARAMS_MAX = 16

const declared = {
  ssi: directive({
    in: ['http', 'server', 'location', 'if'],
    args: flag,
    default: 'off',
    doc: 'Obeys the SSI commands in responses.',
  }),
  ssi_silent_errors: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Puts no message in the place of a command that went wrong.',
  }),
  ssi_ignore_recycled_buffers: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'An old switch of nginx.',
    withoutEffect: 'Bytes are passed on as they come.',
  }),
  ssi_min_file_chunk: directive({
    in: HSL,
    args: size,
    default: '1k',
    doc: 'Least part of a file that is sent by sendfile.',
    withoutEffect: 'Pages are read in pieces.',
  }),
  ssi_value_length: directive({ in: HSL, args: size, default: '256', doc: 'Longest value of a parameter.' }),
  ssi_types: directives({
    in: HSL,
    args: mimeTypes(),
    doc: 'Media types of responses with commands, beside text/html; `*` means all.',
  }),
  ssi_last_modified: directive({
    in: HSL,
    args: flag,
    default: 'off',
    doc: 'Keeps Last-Modified of a page, whatever it includes.',
  }),
}

interface SsiConf {
  readonly settings: ConfOf<typeof declared>
  readonly types: MimeSet
  readonly table: VariableTable<Request>
}

const pages = defineSlot<SsiBody>()

/** The module list's entry. */
export const ssiModule = httpModule({
  name: 'http_ssi',
  doc: 'Commands in pages.',
  directives: declared,
  variables: {
    date_local: (r) => dateOf(r, false),
    date_gmt: (r) => dateOf(r, true),
  },
  attach(settings, plan, at) {
    if (!settings.ssi) return
    plan.subrequests = true
    const conf: SsiConf = { settings, types: new MimeSet(settings.ssi_types, 'text/html'), table: at.variables }
    plan.headerFilter(begin, conf)
  },
})

function dateOf(r: Request, utc: boolean): string {
  return strftime(r.get(pages)?.timeFormat ?? TIME_FORMAT, clock.now, utc)
}

function begin(r: Request, conf: SsiConf): void {
  const { out } = r
  if (out.contentLength === 0 || !conf.types.has(out.contentType)) return
  if (r === r.main) {
    out.transform()
    if (!conf.settings.ssi_last_modified) {
      out.clearValidators()
    }
  }
  out.seekable = false
  if (!r.headerOnly) r.addBodyFilter((next) => new SsiBody(next, r, conf))
}

interface Piece {
  readonly bytes: Buffer
  readonly flags: number
}

/** A page on its way. */
class SsiBody extends HoldingFilter implements SsiPage, SsiReceiver, Later {
  declare readonly r: Request
  readonly table: VariableTable<Request>
  readonly #silent: boolean
  readonly #parser: SsiParser
  readonly #out: PieceGatherer
  #order: OrderedBody | undefined
  output = true
  chosen = false
  conditional = 0
  inBlock = false
  encoding: SsiPage['encoding'] = 'entity'
  timeFormat = TIME_FORMAT
  errorMessage = ERROR_MESSAGE
  wait: Subrequest | undefined
  /** Input that waits: for an answer, or for the client to take what came before. */
  #held: Piece[] = []
  /** What is known of the bytes at hand. */
  #kind = 0

  constructor(next: BodySink, r: Request, conf: SsiConf) {
    super(next, r)
    this.table = conf.table
    this.#out = new PieceGatherer(next)
    this.#silent = conf.settings.ssi_silent_errors
    this.#parser = new SsiParser(conf.settings.ssi_value_length)
    r.set(pages, this)
  }

  write(bytes: Uint8Array, flags: number): boolean {
    if (this.wait !== undefined || this.#held.length > 0) return this.#hold(bytes, flags)
    // The body of a response is made of buffers.
    return this.#work(bytes as Buffer, flags)
  }

  #work(bytes: Buffer, flags: number): boolean {
    const parser = this.#parser
    this.#order ??= orderedBody(this.r)
    this.#kind = flags & (STABLE | LENT)
    let room = true
    for (let at = 0; at < bytes.length; at = parser.position) {
      const found = parser.parse(bytes, at, bytes.length, this)
      if (found === COMMAND_READ) this.#obey()
      else if (found === COMMAND_BAD) this.#showError()
      if (this.r.ended) return true
      if (this.#out.size >= GATHERED_MAX) room = this.pass()
      if (this.wait !== undefined || (!room && !this.#busy())) {
        this.pass()
        return this.#hold(bytes.subarray(parser.position), flags)
      }
    }
    if ((flags & LAST) !== 0) parser.finish(this)
    if ((flags & (LAST | FLUSH)) !== 0) return this.#out.pass(flags & (LAST | FLUSH))
    return this.pass() && room && !this.#busy()
  }

  pass(): boolean {
    return this.#out.pass(0)
  }

  /** What is written now stands in a queue. */
  #busy(): boolean {
    return this.#order?.busy === true
  }

  #hold(bytes: Uint8Array, flags: number): false {
    const copy = (flags & STABLE) !== 0 ? (bytes as Buffer) : Buffer.from(bytes)
    this.#held.push({ bytes: copy, flags: (flags | STABLE) & ~LENT })
    return this.stall()
  }

  onDrain(): void {
    if (this.wait === undefined) this.#goOn()
  }

  onSubrequestEnd(sr: Request): void {
    if (this.wait === sr.carrier) postpone(this)
  }

  runLater(): void {
    this.wait = undefined
    if (!this.r.ended) this.#goOn()
  }

  #goOn(): void {
    const behind = this.step()
    const held = this.#held
    this.#held = []
    let room = true
    for (const { bytes, flags } of held) {
      room = this.write(bytes, flags)
      if ((flags & LAST) !== 0) return
    }
    if (room) behind?.onDrain()
  }

  protected drop(): void {
    this.#out.drop()
    this.#held = []
  }

  // ---- what the page says ------------------------------------------------------------------------

  onText(bytes: Uint8Array, start: number, end: number): void {
    if (this.output) this.#out.add(bytes, start, end, this.#kind)
    else if (this.inBlock) this.#addToBlock((bytes as Buffer).latin1Slice(start, end))
  }

  onMark(length: number): void {
    const text = MARK.slice(0, length)
    if (this.output) this.emit(text)
    else if (this.inBlock) this.#addToBlock(text)
  }

  onProblem(message: string): void {
    this.r.logError(ERROR, message)
  }

  emit(text: string): void {
    this.#out.addText(text)
  }

  #addToBlock(text: string): void {
    ssiState(this.r).blocks.at(-1)!.text += text
  }

  #obey(): void {
    const { command: name } = this.#parser
    const command = ssiCommands.get(name)
    if (command === undefined) {
      if (!this.output) return
      this.onProblem(`invalid SSI command: "${name}"`)
      return this.#showError()
    }
    if (!this.output && command.always !== true) {
      if (this.inBlock) return this.#addToBlock(this.#commandText())
      if (command.within === 0) return
    }
    if (!this.#run(name, command)) this.#showError()
  }

  #run(name: string, command: SsiCommand): boolean {
    if (command.within !== 0 && (this.conditional === 0 || this.conditional > command.within)) {
      this.onProblem(`invalid context of SSI command: "${name}"`)
      return false
    }
    const params = this.#params(name, command)
    return params !== undefined && command.run(this, params)
  }

  #params(name: string, command: SsiCommand): Record<string, string> | undefined {
    const { params } = this.#parser
    let problem = params.length > PARAMS_MAX ? `too many SSI command parameters: "${name}"` : ''
    const found: Record<string, string> = {}
    for (const { name: key, value } of params) {
      if (problem !== '') break
      if (!Object.hasOwn(command.params, key)) problem = `invalid parameter name: "${key}" in "${name}" SSI command`
      else if (found[key] !== undefined) problem = `duplicate "${key}" parameter in "${name}" SSI command`
      found[key] = value
    }
    for (const [key, needed] of Object.entries(command.params)) {
      if (problem === '' && needed && found[key] === undefined) {
        problem = `mandatory "${key}" parameter is absent in "${name}" SSI command`
      }
    }
    if (problem === '') return found
    this.onProblem(problem)
    return undefined
  }

  /** A command inside of a block, as it is kept. */
  #commandText(): string {
    const params = this.#parser.params.map(({ name, value }) => ` ${name}="${value}"`)
    return `${MARK}${this.#parser.command}${params.join('')} -->`
  }

  #showError(): void {
    if (!this.#silent) this.emit(this.errorMessage)
  }
}
