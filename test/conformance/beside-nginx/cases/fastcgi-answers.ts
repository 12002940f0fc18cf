/** How programs behind FastCGI answer, and the server that asks them. */
import type { Answer } from '../case.ts'

const STDOUT = 6
const STDERR = 7

/** One record; its head says these numbers. */
function record(type: number, content = '', { padding = 0, version = 1, id = 1, size = content.length } = {}): string {
  const bytes = [version, type, id >> 8, id & 255, size >> 8, size & 255, padding, 0]
  return String.fromCharCode(...bytes) + content + 'P'.repeat(padding)
}
const out = (text: string): string => record(STDOUT, text)
const err = (text: string): string => record(STDERR, text)
const endOf = (app: number, protocol: number): string => record(3, String.fromCharCode(0, 0, 0, app, protocol, 0, 0, 0))
const END = endOf(0, 0)
const HEAD = 'Content-Type: text/plain\r\n\r\n'
const SIZED = 'Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n'
const OK = out(`${HEAD}ok`) + out('') + END
const closing = (...send: string[]): Answer => ({ send, after: 'close' })
/** A text in pieces of one byte. */
const bytewise = (text: string): string[] => Array.from(text)
const halves = (text: string, at: number): string[] => [text.slice(0, at), text.slice(at)]
const long = (size: number): string => 'a long line of text, '.repeat(size / 21 + 1).slice(0, size)

const COMMON = `fastcgi_temp_path %%DIR%%/body; fastcgi_read_timeout 400ms; fastcgi_buffer_size 4k; fastcgi_buffers 8 4k; fastcgi_busy_buffers_size 8k;
upstream kept { server 127.0.0.1:%%PORT_6%%; keepalive 4; }
upstream two { server 127.0.0.1:%%PORT_6%% max_fails=0; server 127.0.0.1:%%PORT_7%% max_fails=0; }
upstream half { server 127.0.0.1:%%PORT_8%% max_fails=0; server 127.0.0.1:%%PORT_6%% max_fails=0; }`
const server = (inner: string): string =>
  `${COMMON} server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%/www; server_name h; fastcgi_param SCRIPT_NAME $fastcgi_script_name; ${inner} }`
const files = {
  'www/err.html': 'error page\n',
  'www/page.html': 'one <!--# include virtual="/b/one" --> two <!--# include virtual="/b/two" --> three',
  'www/wait.html': 'one <!--# include virtual="/b/one" wait="yes" --> two <!--# include virtual="/b/two" --> three',
  'www/set.html': '<!--# include virtual="/b/one" set="v" -->[<!--# echo var="v" -->]',
  'www/stub.html': '<!--# block name="s" -->stub<!--# endblock --><!--# include virtual="/b/one" stub="s" -->!',
}

/** Records, whole answers, texts, and what a configuration begins with. */
export const FCGI = {
  bytewise,
  closing,
  END,
  endOf,
  err,
  files,
  halves,
  HEAD,
  long,
  OK,
  out,
  record,
  server,
  SIZED,
  STDERR,
  STDOUT,
}
