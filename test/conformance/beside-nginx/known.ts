/**
 * Where the two servers differ and should: a newer nginx than the one beside which this runs (Debian's 1.22), a change on
 * purpose, or what depends on the moment at which bytes arrive. Each with its reason. What says `open` is not settled.
 */
import type { Aspect } from './case.ts'

/** One reason for differences. */
export interface Known {
  readonly why: string
  /** What the group and name of a case must match, as `group: name`. */
  readonly of: RegExp
  /** All aspects by default. */
  readonly aspects?: readonly Aspect[]
  /** What is left out of both sides; without it the aspects are not compared. */
  readonly without?: RegExp
}

/** Hosts and field lines that nginx 1.22 still took. */
const NEWLY_REFUSED =
  /fields: (?:host (?:with bad port|backslash|utf8|ip6 open|ip6 behind|at)|no colon|CR CR LF|control in value)$/
/** Answers of back ends that nginx 1.22 still took. */
const BAD_ANSWERS =
  /responses: .*(?:chunked and length|chunked twice|coding |bad length|negative length|empty length|two (?:other )?lengths|interim)/
const NO_STATUS_LINE =
  /responses: .*(?:no status line|bad version|bad status|two digits|four digits|LF before)|next: .* 1(?: both)?$/
/** Requests that are passed on with nginx's defaults. */
const OWN_CONNECTION = /proxy: requests|connections: (?:behind passed chunks$|\/proxy1\/)/

/** All of them. */
export const KNOWN: readonly Known[] = [
  {
    why: 'nginx logs nothing for a text that it has emptied, and - for one that never was',
    of: /./,
    aspects: ['access'],
    without: /(?<=^(?:upstream_http_server|args|uri|document_uri|server_protocol|sent_http_location)=)-$/gm,
  },
  {
    why: 'nginx has forgotten when it logs that it keeps a connection',
    of: /./,
    aspects: ['access'],
    without: /(?<=^sent_http_(?:connection|keep_alive)=).*/gm,
  },
  {
    why: 'what a server is at when it says something depends on how bytes arrive',
    of: /^(?:proxy|rewrite|static|together)/,
    aspects: ['errors'],
    without:
      / while (?:reading upstream|sending (?:response )?to client|reading response header from upstream|sending request to upstream|connecting to upstream)/g,
  },
  {
    why: 'control bytes are escaped in lines of the error log',
    of: /^requests/,
    aspects: ['errors'],
    without: /[\0-\x09\x0b-\x1f\x7f]|\\x[0-9A-F]{2}/g,
  },
  {
    why: 'values that may be secrets are not logged',
    of: /./,
    aspects: ['errors'],
    without: /(?<=header line: "|sent invalid header: ").*?(?=" while|", client)/g,
  },
  { why: 'newer nginx: the target of CONNECT is host and port', of: /CONNECT/ },
  { why: 'newer nginx refuses more hosts and field lines', of: NEWLY_REFUSED },
  { why: 'newer nginx refuses ports beyond 65535', of: /targets: http:\/\/h:99999\/a$/ },
  {
    why: 'open: $host of a target whose authority is malformed',
    of: /targets: http:\/\/u(?::p)?@h/,
    aspects: ['access'],
  },
  {
    why: 'open: spaces behind the version are not part of $server_protocol',
    of: /with spaces behind/,
    aspects: ['access'],
  },
  {
    why: 'how many connections there were depends on when a kept one was seen to be closed',
    of: /requests: methods: .* \/status/,
    aspects: ['replies'],
    without: /^ \d+ \d+ \d+ $/gm,
  },
  { why: 'an empty Host is not told', of: /fields: empty host/, aspects: ['errors'] },
  { why: 'open: `.name` is taken for a name below `*.name` by nginx', of: /fields: host dot wild/ },
  {
    why: 'newer nginx joins repeated fields',
    of: /fields: (?:twice|two (?:user agents|referers|content types))|A: a, A: b|chain cookies/,
  },
  { why: 'a response of known length is compressed at once and tells its length', of: /conditions: \/gzip\// },
  {
    why: 'nginx leaves the connection of a 412 without a word',
    of: /conditions: |error pages: \/e29 If-Match|together: .* (?:unchanged since|no tag)$/,
    aspects: ['access'],
    without: /(?<=^request_completion=).*/gm,
  },
  { why: 'nginx logs the head of post_action', of: /folders: \/post\//, aspects: ['access'] },
  { why: 'nginx sends an empty Location', of: /error pages: \/e25(?:\?p=)?$/ },
  { why: 'the name of status 100 is told', of: /error pages: \/s100$/ },
  { why: 'the tag of a file does not go with the page that stands in for it', of: /error pages: \/e29 Range/ },
  { why: 'a limit on bodies holds for those that nobody wants', of: /error pages: POST chunked \/e19/ },
  {
    why: 'open: $content_length of a chunked body that nobody wants',
    of: /POST chunked/,
    aspects: ['access'],
    without: /(?<=^content_length=).*/gm,
  },
  {
    why: 'open: the words for a body that is too large have two numbers in nginx',
    of: /POST chunked \/e20/,
    aspects: ['errors'],
    without: /\b0\+(?=5 bytes)/g,
  },
  {
    why: 'bytes behind a response are told, with HEAD too',
    of: /HEAD/,
    aspects: ['errors'],
    without: /^.*sent more data than specified.*$/gm,
  },
  { why: 'newer nginx refuses such answers', of: BAD_ANSWERS },
  { why: 'an answer without a valid status line is 502', of: NO_STATUS_LINE },
  { why: 'a 204 has no length', of: /status 204$/ },
  { why: 'newer nginx passes Upgrade on', of: /hop by hop/ },
  { why: 'nginx reads no more than a head may have', of: /too big head/, aspects: ['access'] },
  { why: 'nginx cuts off before it has sent the head, if all comes at once', of: /chunked bad (?:second )?size/ },
  {
    why: 'a response that is cut is not complete',
    of: /cut|without|too short|proxy: (?:methods|next)|: broken$/,
    aspects: ['access'],
    without: /(?<=^request_completion=).*/gm,
  },
  {
    why: 'newer nginx sends Host first',
    of: /together: bodies: \/single\//,
    aspects: ['asked'],
    without: /^B: .*\r\n/gm,
  },
  {
    why: 'newer nginx tells no file of an empty body; of one that is broken the beginning is kept before the break is read',
    of: /together: bodies: \/buffered\/x (?:empty|chunked broken)/,
    aspects: ['errors'],
    without: /^.*is buffered to a temporary file.*$/gm,
  },
  { why: 'newer nginx keeps every WWW-Authenticate', of: /www-authenticate/ },
  { why: 'a charset that is not configured is taken as it is', of: /x-accel$| charset$/, aspects: ['errors'] },
  { why: 'a space is encoded in a target that is passed on', of: /\/revar\// },
  { why: 'an empty method is not sent', of: /\/methodvar$/ },
  { why: 'newer words for addresses that are none', of: /\/badname/, aspects: ['errors'] },
  {
    why: 'newer nginx drops Proxy-Connection, and sends no Connection of its own',
    of: OWN_CONNECTION,
    aspects: ['asked'],
    without: /^(?:Connection: close|Proxy-Connection: .*)\r\n/gm,
  },
  { why: 'the same, counted', of: OWN_CONNECTION, aspects: ['access'], without: /(?<=^upstream_bytes_sent=).*/gm },
  {
    why: 'the length of a body that came in chunks and is not passed on is not told, for the back end would wait for it',
    of: /proxy: requests: POST chunked \/nobody/,
  },
  { why: 'the second of two fields is logged', of: /redirect twice/, aspects: ['errors'] },
  { why: 'dates are written anew', of: /redirect to a file/ },
  { why: 'newer nginx takes no space from a cookie', of: /cookie a=1 ; Path/, aspects: ['access'] },
  { why: 'newer nginx refuses a bare LF behind a chunk', of: /chunk LF$/ },
  { why: 'a limit on bodies holds for those that nobody wants', of: /connections: .*chunk large$/ },
  { why: 'who is answered at once need not be told to go on', of: /connections: .* expect(?: none)?$/ },
  {
    why: 'open: $content_length of a chunked body that nobody wants, or that is broken',
    of: /connections: |together: bodies: .*chunk/,
    aspects: ['access'],
    without: /(?<=^content_length=).*/gm,
  },
  {
    why: 'open: a line behind another request is told as pipelined by nginx',
    of: /connections: garbage behind$/,
    aspects: ['errors'],
    without: / pipelined/g,
  },
  { why: 'newer nginx: parts of compressed files', of: /conditions: \/gz\/a.txt Accept-Encoding/ },
  {
    why: 'nginx does not count a body whose range cannot be had',
    of: /conditions: \/forced\/.* Range: bytes=99-/,
    aspects: ['access'],
  },
  {
    why: 'open: proxy_pass_header Server and Date without such fields leave them out in nginx',
    of: /fields: \/pass /,
    aspects: ['access'],
  },
  { why: 'open: what an SSI error puts into a page is counted otherwise', of: /ssierr|ssibad/, aspects: ['access'] },
  {
    why: 'nginx refuses a target before it reads fields',
    of: /requests: targets/,
    aspects: ['errors'],
    without: /, host: "h"/g,
  },
  {
    why: 'open: order of fields that are set',
    of: /requests: (?:\/set\/own|\/vars\/a|\/set\/a A: a)$/,
    aspects: ['asked'],
  },
  {
    why: 'a copy is sent also of a request that is refused with 412, where nginx leaves',
    of: /mirror\/a.txt (?:unchanged since|no tag)$/,
    aspects: ['asked'],
  },
  {
    why: 'the status that was sent is logged, where nginx logs that of the error page',
    of: /together: .*\/(?:sub-error|try-code)\//,
    aspects: ['access'],
    without: /(?<=^status=).*/gm,
  },
  {
    why: 'a body that filters have changed is cut into chunks otherwise',
    of: /\/(?:ssi|sub|add)[a-z-]*\//,
    aspects: ['access'],
    without: /(?<=^(?:body_)?bytes_sent=).*/gm,
  },
  {
    why: 'what an added Content-Type says is logged also with 304',
    of: /\/headers\/a.txt (?:changed since|any tag)$/,
    aspects: ['access'],
    without: /(?<=^sent_http_content_type=).*/gm,
  },
  { why: 'what words are replaced in has no ranges', of: /sub-back.*: text$/, aspects: ['replies', 'access'] },
  { why: 'nginx leaves before it has sent the head', of: /ssi-back.*: broken$/ },
  { why: 'a target inside without a slash is refused', of: /accel.*: to a host$/ },
  { why: 'the head of an answer to HEAD has no rate', of: /accel\/x HEAD: without buffers$/ },
  { why: 'a limit on bodies holds for those that nobody wants', of: /limited-file\/a.txt (?:POST )?chunked/ },
  {
    why: 'open: the words for a body that is too large have two numbers in nginx',
    of: /limited\/x chunked/,
    aspects: ['errors'],
    without: /(?:3\+3|6) bytes/g,
  },
]
