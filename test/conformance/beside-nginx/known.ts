/**
 * Where the two servers differ and should: a newer nginx than the one beside which this runs (Debian's 1.22), a change on
 * purpose, or what depends on the moment at which bytes arrive. Each with its reason. What says `open` is not settled.
 */
import type { Aspect } from './case.ts'
import { KNOWN_OF_GATEWAYS, KNOWN_OF_GATEWAYS_OVER_HTTP2 } from './known-gateways.ts'

/** One reason for differences. */
export interface Known {
  readonly why: string
  /** What the group and name of a case must match, as `group: name`. */
  readonly of: RegExp
  /** All aspects by default. */
  readonly aspects?: readonly Aspect[]
  /** What is left out of both sides; without it the aspects are not compared. */
  readonly without?: RegExp
  /** What must have come of the case on either side for the reason to hold, as `nginx -> Viaduct`; see `outcomeOf`. */
  readonly outcomes?: readonly string[]
  /** Only the order of lines may differ. */
  readonly orderless?: true
}

/** Hosts and field lines that nginx 1.22 still took. */
const NEWLY_REFUSED =
  /fields: (?:host (?:with bad port|backslash|utf8|ip6 open|ip6 behind|at)|no colon|CR CR LF|control in value)$/
/** Answers of back ends that nginx 1.22 still took. */
const BAD_ANSWERS =
  /responses: .*(?:chunked and length|chunked twice|coding |bad length|negative length|empty length|two (?:other )?lengths|interim)/
const NO_STATUS_LINE =
  /responses: .*(?:no status line|bad version|bad status|two digits|four digits|LF before)|next: .* 1(?: both)?$|auth_request: .* broken$|slices: .* no head /
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
    of: /^(?:proxy|rewrite|static|together|gateways|access)/,
    aspects: ['errors'],
    without:
      / while (?:reading upstream|sending (?:response )?to client|reading response header from upstream|sending request to upstream|connecting to upstream)/g,
  },
  {
    why: 'control bytes are escaped in lines of the error log',
    of: /^(?:requests|dav|access)/,
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
    of: /^(?!gateways: grpc).*(?:fields: (?:twice|two (?:user agents|referers|content types))|A: a, A: b|chain cookies)/,
  },
  { why: 'a response of known length is compressed at once and tells its length', of: /conditions: \/gzip\// },
  {
    why: 'nginx leaves the connection of a 412 without a word',
    of: /conditions: |error pages: \/e29 If-Match|together: .* (?:unchanged since|no tag)$/,
    aspects: ['access'],
    without: /(?<=^request_completion=).*/gm,
  },
  {
    why: 'nginx leaves the connection of a 412 without a word',
    of: /^cache: requests: .*If-(?:Match: "f"|Unmodified)/,
  },
  { why: 'a status is that of the answer, not of hints before it', of: /^logs: back ends: hints$/ },
  { why: 'newer nginx copies and moves nothing onto itself', of: /^dav: .* (?:onto|into) itself$/ },
  { why: 'newer nginx copies nothing where an alias has captures', of: /^dav: .* by a regular expression$/ },
  { why: 'newer nginx refuses codings but chunked', of: /^cache: lives: .*Transfer-Encoding: identity$/ },
  {
    why: 'in newer nginx X-Accel-Expires decides before Cache-Control, and that before Expires',
    of: /^cache: lives: \w+ (?:Expires: .* 2001 .* \+|Cache-Control: no-cache \+ X-Accel)/,
  },
  { why: 'older nginx takes hints for the answer', of: /^cache: more: early hints$/ },
  { why: 'newer nginx joins fields that come twice', of: /^logs: escapes: \w+ two fields$/ },
  {
    why: 'a PUT that tells no length has an empty body',
    of: /^dav: PUT: (?:without length|no length at all|HTTP\/1\.0)$/,
  },
  { why: 'hosts are compared whole, and whatever their letters', of: /^dav: .*(?:host in other letters|longer host)$/ },
  { why: 'nginx logs the head of post_action', of: /folders: \/post\//, aspects: ['access'] },
  { why: 'nginx sends an empty Location', of: /error pages: \/e25(?:\?p=)?$/ },
  { why: 'the name of status 100 is told', of: /error pages: \/s100$/ },
  { why: 'the tag of a file does not go with the page that stands in for it', of: /error pages: \/e29 Range/ },
  { why: 'a limit on bodies holds for those that nobody wants', of: /error pages: POST chunked \/e19/ },
  {
    why: 'open: $content_length of a chunked body that nobody wants',
    of: /POST chunked|(?:dav|access): .*chunk/,
    aspects: ['access'],
    without: /(?<=^content_length=).*/gm,
  },
  {
    why: 'open: the words for a body that is too large have two numbers in nginx',
    of: /POST chunked \/e20|dav: .*too large chunked/,
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
  {
    why: 'newer nginx passes on every challenge',
    of: /^access: auth_request: .* 401 twice$/,
    without: /^WWW-Authenticate: Digest\n|(?<=^bytes_sent=).*/gim,
  },
  {
    why: 'how far a request is over its rate depends on when it came',
    of: /^access: limits: /,
    aspects: ['errors'],
    without: /excess: [\d.]+/g,
  },
  {
    why: 'older nginx writes fields of proxy_set_header in another order',
    of: /^(?:access: auth_request: .*(?:POST|chunked)|cache: slices: )/,
    aspects: ['asked'],
    orderless: true,
  },
  {
    why: 'nginx waits for ever where a question passes on a length and has no body',
    of: /^access: auth_request: sub-body POST/,
  },
  { why: 'a password with a NUL goes on behind it', of: /^access: (?:users: a NUL: p|credentials: .*dTpwAA==")$/ },
  {
    why: 'a variable with a line end or a NUL byte makes no field',
    of: /^access: credentials: .* (?:dQo6cA==|ADpw)"$/,
    aspects: ['replies', 'access', 'errors'],
    without: /^[Uu]: .*\n+|(?<=^bytes_sent=).*|^\[error\] (?:user "u\n?|" was not found|header "U"|user ).*$/gm,
  },
  {
    why: 'a part that is refused with 416 is kept for the next client',
    of: /^cache: slices: (?:s(?:-\w+)? (?:x|5-2|11-|100-)|s-page small one .*|If-Match of another)$/,
  },
  {
    why: 'what has come of the first slice waits for the second, also when nothing is buffered',
    of: /^cache: slices: s-direct /,
  },
  { why: 'nginx forgets $slice_range when a question to another location had none', of: /^cache: slices: auth$/ },
  {
    why: 'older nginx asks for a slice anew when the one behind it did not fit',
    of: /^cache: slices: s(?:-page)? (?:the whole at second|another tag|no tag at second|a longer range)/,
    aspects: ['errors', 'asked'],
  },
  { why: 'a slice of a whole of another length is refused', of: /^cache: slices: s(?:-\w+)? another length/ },
  {
    why: 'a response that a slice has ended is logged as 444',
    of: /^cache: slices: /,
    aspects: ['access'],
    without:
      /(?<=^(?:status|body_bytes_sent|bytes_sent|request_completion|sent_http_content_length|upstream_response_length)=)(?:\d+|OK|-)?$/gm,
  },
  {
    why: 'what a server is at when it says something depends on where the slice comes from',
    of: /^cache: slices: /,
    aspects: ['errors'],
    without: / while (?:reading|sending) [a-z ]+|, (?:subrequest|upstream): ".*?"|, expected: [\d-]+/g,
  },
  { why: 'an answer without a valid status line is 502', of: NO_STATUS_LINE },
  { why: 'a 204 has no length', of: /^(?!gateways).*status 204$/ },
  { why: 'newer nginx passes Upgrade on', of: /hop by hop/ },
  { why: 'nginx reads no more than a head may have', of: /too big head/, aspects: ['access'] },
  { why: 'nginx cuts off before it has sent the head, if all comes at once', of: /chunked bad (?:second )?size/ },
  {
    why: 'a response that is cut is not complete',
    of: /cut|without|too short|half a body|proxy: (?:methods|next)|: broken$/,
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
  {
    why: 'whether a back end is asked before the client ends, and who finds that in nginx (400 or 499), depends on how bytes arrive',
    of: /proxy: requests: POST short \/stream$/,
    aspects: ['access', 'errors'],
    without:
      /(?<=^upstream_(?:addr|response_length|bytes_received)=).*|(?<=^status=)(?:400|499)$|, upstream: "[^"]*"|(?<=\] )(?:epoll_wait\(\) reported that )?client prematurely closed connection(?:, so upstream connection is closed too)?/gm,
  },
  { why: 'newer nginx keeps every WWW-Authenticate', of: /www-authenticate/ },
  {
    why: 'a charset that is not configured is taken as it is',
    of: /x-accel$|^(?!gateways).* charset$/,
    aspects: ['errors'],
  },
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
  {
    why: 'a response of known length is compressed at once and tells its length',
    of: /^filters/,
    aspects: ['replies'],
    without: /^(?:Content-Length: \d+|content-length: \d+|Transfer-Encoding: chunked)\n/gm,
  },
  {
    why: 'the same, counted, and with HTTP/1.0 the connection can be kept',
    of: /^filters/,
    aspects: ['access', 'open'],
    without: /(?<=^(?:body_bytes_sent|bytes_sent|sent_http_content_length|sent_http_transfer_encoding)=).*/gm,
  },
  { why: 'with HTTP/1.0 the connection can be kept', of: /^filters: files: GET \/(?:http10|trailer)\// },
  {
    why: 'nginx leaves the connection of a 412 without a word',
    of: /^filters: .* match$/,
    aspects: ['access'],
    without: /(?<=^request_completion=).*/gm,
  },
  {
    why: 'an error page is not compressed because the file that was asked for is',
    of: /^filters: .* range beyond$/,
    aspects: ['replies', 'access'],
    without: /^content-encoding: gzip\n|; charset=koi8-r/gim,
  },
  {
    why: 'what cannot be decompressed is told by the library; nginx holds its head back then',
    of: /^filters: .*(?:nogzip|gzip none|gzip and more)/,
  },
  { why: 'nginx sends no head before it finds that what is compressed is cut', of: /^filters: .*(?:broken|gzip cut)/ },
  {
    why: 'what has no body at all is not cut',
    of: /^filters: .*(?:nothing|gzip empty|gzip 206|gzip 304|gzip 204)/,
  },
  {
    why: 'as nginx documents no_last_modified, which it does not look at for files',
    of: /^filters: .*viaf-no_last_modified/,
  },
  { why: '$gzip_ratio is known to trailers', of: /^filters: .*\/trailer\// },
  { why: 'bytes within a second of limit_rate', of: /^filters: .*\/slice\/large/ },
  { why: 'newer nginx joins repeated fields, but not this one', of: /^filters: .*gzip and br/ },
  {
    why: 'an empty coding is not passed on',
    of: /^filters: .*no coding/,
    aspects: ['replies'],
    without: /^content-encoding: \n/gim,
  },
  {
    why: 'ranges of a body are not offered when it was made here',
    of: /^filters: .*p-subgzip.*ranges/,
    aspects: ['replies'],
    without: /^Accept-Ranges: bytes\n/gm,
  },
  { why: 'how much is sent of what is cut depends on how it arrives', of: /^filters: .*<- cut/ },
  ...KNOWN_OF_GATEWAYS,
]

/** Over HTTP/2, in addition. */
export const KNOWN_OF_HTTP2: readonly Known[] = [
  {
    why: 'nginx has sent the head, and of the first slice what it had, when the response is broken off',
    of: /^cache: slices: (?:s(?:-page)? (?:.* at (?:second|third)|another tag|no (?:length|range told)|range broken|other unit|another part|a (?:short|long) part|a longer range)|s(?:-\w+)? (?:4-7|8-|2-6|-1|-3)$|POST$)/,
    aspects: ['replies', 'access'],
  },
  {
    why: 'names and values that are in the static table are sent as its numbers',
    of: /./,
    aspects: ['access'],
    without: /(?<=^bytes_sent=).*/gm,
  },
  {
    why: 'nginx answers when it has the head; a body that came with it is looked at first, so that the client need not be reset',
    of: /./,
    aspects: ['replies', 'access'],
    without: /\n<reset 0>\n|(?<=^request_length=).*/gm,
  },
  {
    why: 'the same: a body that is broken is found out before the answer',
    of: /^(?!gateways: grpc).*(?:too short|too long|padded badly|behind the end|reset|chunk (?:size|end) bad|chunked broken)/,
    aspects: ['replies', 'access', 'errors'],
  },
  {
    why: 'the same: a body that is too large',
    of: /bodies: \/limits\/a.txt (?:GET|HEAD|and another)$/,
    aspects: ['replies', 'access', 'errors'],
  },
  {
    why: 'the same, which is told although the answer is another',
    of: /bodies: \/limits\/a.txt (?:no length|padded|PUT large)$/,
    aspects: ['errors'],
    without: /^\[error\] client intended to send too large chunked body: .*\n?/gm,
  },
  {
    why: 'how much of a body is there when it is found too large',
    of: /bodies: \/limit\/x PUT large$/,
    aspects: ['errors'],
    without: /\d+ bytes/g,
  },
  {
    why: 'the same: no back end is asked with it',
    of: /requests: POST (?:short|chunked bad) \/stream$/,
    aspects: ['access'],
    without: /(?<=^upstream_(?:addr|response_length|bytes_received)=).*/gm,
  },
  {
    why: 'the same: which of two servers is next',
    of: /requests: .* \/group$/,
    aspects: ['access'],
    without: /(?<=^upstream_addr=).*/gm,
  },
  {
    why: 'trailers of requests are taken',
    of: /POST chunked \/(?!limits)|chunk trailer|chunked with a trailer$/,
  },
  {
    why: 'nginx leaves a 304 of a back end at its head, over HTTP/2 alone',
    of: /responses: .* status 304$/,
    aspects: ['access', 'errors'],
    without: /(?<=^upstream_response_length=).*|^.*sent more data than specified.*$/gm,
  },
  {
    why: 'an authorization has no body, and is not told of its length',
    of: /bodies: \/auth\/a.txt length 0/,
    aspects: ['asked'],
    without: /^Content-Length: 0\r\n/gm,
  },
  {
    why: 'the same: who waits for that body does not answer',
    of: /bodies: \/auth\/a.txt (?:expect|late|length|too (?:long|short)(?: late| in parts)?)$/,
    aspects: ['replies', 'access', 'asked'],
  },
  {
    why: 'other words for a zero byte in a value',
    of: /lines: NUL in the target$|fields: (?:host NUL|NUL in value)$/,
    aspects: ['errors'],
  },
  {
    why: 'a target that is refused is told, as over HTTP/1',
    of: /./,
    aspects: ['access'],
    without: /(?<=^(?:request|request_uri)=).*/gm,
  },
  { why: 'the same, in the error log', of: /./, aspects: ['errors'], without: /, (?:request|host): \\?".*$/gm },
  {
    why: 'nginx logs a request when the connection ends with its head',
    of: /lines: very long method|fields: too many|fields : a|frames: (?:continuation of another|ping between|index bad|huffman bad|table size large)/,
    aspects: ['access'],
  },
  {
    why: 'nginx tells also of the body that a client who has gone does not send, and of frames that it does not know',
    of: /./,
    aspects: ['errors'],
    without: /^\[info\] client (?:prematurely closed (?:stream|connection)|sent frame with unknown type).*\n?/gm,
  },
  {
    why: 'frames on streams that are idle or closed are refused (RFC 9113, 5.1), and size updates behind fields (RFC 7541, 4.2)',
    of: /frames: (?:stream again|data idle|data closed|rst idle|window idle|frame too large|table size behind)/,
  },
  {
    why: 'other words for what is wrong with a block',
    of: /frames: (?:index bad|table size large)/,
    aspects: ['errors'],
  },
  {
    why: 'a broken name is escaped in the log, and a value not told',
    of: /heads: (?:fields|path)/,
    aspects: ['errors'],
  },
  { why: 'extended CONNECT is known', of: /heads: :protocol/, aspects: ['errors'] },
  { why: 'pseudo-fields are refused where they stand', of: /heads: pseudo behind/, aspects: ['errors'] },
  {
    why: 'open: $content_length of a body that is passed on as it comes',
    of: /bodies: \/stream/,
    aspects: ['access'],
    without: /(?<=^content_length=).*/gm,
  },
  {
    why: 'which of two requests ends first',
    of: /bodies: .* (?:and|with) another$|connections: behind (?:a body|chunks|a body too large)$/,
    aspects: ['access', 'asked'],
    orderless: true,
  },
  {
    why: 'who expects 100 is told so',
    of: /bodies: .* (?:expect|after 100)$/,
    aspects: ['replies'],
    without: /:status: 100\n+/g,
  },
  { why: 'an interim 100 of a back end is no answer, and 101 none to HTTP/2', of: /answers: .*<- 10[01]$/ },
  { why: 'the status is that of the answer, not of the early hints before it', of: /answers: .*<- early hints$/ },
  { why: 'Proxy-Connection has no place in HTTP/2', of: /answers: .*<- hop$/, aspects: ['replies'] },
  { why: 'an answer without a valid status line is 502', of: /answers: .*<- not http$/ },
  { why: 'what is read before a reset depends on how it arrives', of: /answers: .*<- (?:reset|cut|too much)/ },
  { why: 'an empty cookie is not joined', of: /heads: fields cookie: , cookie/ },
  { why: 'long names of files are told in full', of: /heads: path \/x+\d/, aspects: ['errors'] },
  { why: 'GOAWAY comes with the last request that is taken', of: /kept for no time: body late/ },
  ...KNOWN_OF_GATEWAYS_OVER_HTTP2,
]
