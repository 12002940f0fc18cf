/**
 * ngx_http_mp4_module: videos from a moment on (`?start=`, `?end=` in seconds), so that players can jump to what was not
 * loaded yet; and NGINX Plus's mp4_limit_rate, which sends them about as fast as they play.
 */
import { failDirective, flag, milliseconds, none, size, word } from '../../../config/args.ts'
import { directive } from '../../../config/directive.ts'
import { parseFixedPoint } from '../../../config/units.ts'
import { httpModule } from '../../../http/compile/module.ts'
import type { FileEntry } from '../../../http/files/file-entry.ts'
import { argument } from '../../../http/message/arguments.ts'
import type { Request } from '../../../http/request/request.ts'
import { DONE, type Verdict } from '../../../http/request/verdict.ts'
import { describeFile, openAsked } from '../../../http/response/asked-file.ts'
import { unlimitedBytes } from '../../../http/response/paced.ts'
import { sendFile, sendPartOfFile } from '../../../http/response/send-file.ts'
import { ERROR } from '../../../log/error-log.ts'
import { Mp4Problem, type Mp4Source } from './atoms.ts'
import { type CutMovie, cutMovie, movieDuration, WHOLE } from './movie.ts'

const HSL = ['http', 'server', 'location'] as const
/** `mp4_limit_rate on`. */
const FACTOR_DEFAULT = 1.1
const FACTOR_DIGITS = 3
const OFF = 0
/** Moments beyond it are none. */
const MS_MAX = 2 ** 63

const factor = word('on | off | factor', (w, at) => {
  if (w.text === 'on') return FACTOR_DEFAULT
  if (w.text === 'off') return OFF
  const thousandths = parseFixedPoint(w.text, FACTOR_DIGITS)
  return thousandths ? thousandths / 10 ** FACTOR_DIGITS : failDirective(at, 'invalid value', w)
})

interface Mp4Conf {
  readonly bufferSize: number
  readonly bufferSizeMax: number
  readonly keyFrame: boolean
  readonly rateFactor: number
  readonly rateAfterMs: number
}

/** The module list's entry. */
export const mp4Module = httpModule({
  name: 'http_mp4',
  doc: 'Serves parts of MP4 videos.',
  directives: {
    mp4: directive({
      in: ['location'],
      args: none,
      inheritance: 'pseudo',
      doc: 'Serves MP4 videos, from `?start=` to `?end=`.',
    }),
    mp4_buffer_size: directive({
      in: HSL,
      args: size,
      default: '512K',
      doc: 'How long the index of a video may be, if this is more than `mp4_max_buffer_size`.',
    }),
    mp4_max_buffer_size: directive({
      in: HSL,
      args: size,
      default: '10M',
      doc: 'How long the index (`moov`) of a video may be; one that is longer is answered with 500.',
    }),
    mp4_start_key_frame: directive({
      in: HSL,
      args: flag,
      default: 'off',
      doc: 'Begins with the key frame before the start, and tells players to show nothing before the start.',
    }),
    mp4_limit_rate: directive({
      in: HSL,
      args: factor,
      default: 'off',
      doc: 'Sends no faster than the average bit rate of the video times this factor; `on` is 1.1.',
    }),
    mp4_limit_rate_after: directive({
      in: HSL,
      args: milliseconds,
      default: '60s',
      doc: 'So much of the video, in time of playing, is sent without `mp4_limit_rate`.',
    }),
  },
  attach(conf, plan) {
    if (conf.mp4 !== true) return
    plan.content<Mp4Conf>(serve, {
      bufferSize: conf.mp4_buffer_size,
      bufferSizeMax: conf.mp4_max_buffer_size,
      keyFrame: conf.mp4_start_key_frame,
      rateFactor: conf.mp4_limit_rate,
      rateAfterMs: conf.mp4_limit_rate_after,
    })
  },
})

function serve(r: Request, conf: Mp4Conf): Verdict {
  const entry = openAsked(r)
  if (typeof entry === 'number') return entry
  const source: Mp4Source = { fd: entry.fd, size: entry.size, path: entry.path, content: entry.content }
  const cut = cutFor(r, source, conf)
  if (cut instanceof Mp4Problem) {
    r.logError(ERROR, cut.message)
    entry.release()
    return 500
  }
  if (conf.rateFactor !== OFF) limitRate(r, source, conf)
  sendMovie(r, entry, cut)
  return DONE
}

function cutFor(r: Request, source: Mp4Source, conf: Mp4Conf): CutMovie | typeof WHOLE | Mp4Problem {
  let start = seconds(argument(r.args, 'start'))
  const end = seconds(argument(r.args, 'end'))
  if (end > 0 && start < 0) start = 0
  if (start < 0) return WHOLE
  const { keyFrame, bufferSize, bufferSizeMax } = conf
  return cutMovie(source, { start, length: end > start ? end - start : 0, keyFrame, bufferSize, bufferSizeMax })
}

const NUMBER = /^(?=.)(\d*)(?:\.(\d*))?$/

/** Milliseconds; -1 when it is not a number, or too large for nginx (ngx_http_mp4_atofp). Players may send a lot of digits. */
function seconds(text: string | undefined): number {
  const match = NUMBER.exec(text ?? '')
  if (match === null) return -1
  const ms = Number(match[1] + (match[2] ?? '').slice(0, 3).padEnd(3, '0'))
  return ms < MS_MAX ? ms : -1
}

function sendMovie(r: Request, entry: FileEntry, cut: CutMovie | typeof WHOLE): void {
  if (cut === WHOLE) {
    describeFile(r, entry, entry.size)
    sendFile(r, entry)
    return
  }
  const { head, start, end } = cut
  describeFile(r, entry, head.length + end - start)
  r.out.singleRange = true
  sendPartOfFile(r, entry, head, { text: '', start, end })
}

/** The rate is that at which the whole video plays, on the average. */
function limitRate(r: Request, source: Mp4Source, { rateFactor, rateAfterMs }: Mp4Conf): void {
  const ms = movieDuration(source)
  const bytesPerMs = ms > 0 ? source.size / ms : 0
  const rate = Math.floor(bytesPerMs * 1000 * rateFactor)
  if (rate === 0) return
  r.limitRate = rate
  r.set(unlimitedBytes, Math.floor(bytesPerMs * rateAfterMs))
}
