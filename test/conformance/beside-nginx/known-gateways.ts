/** Where the two servers differ and should behind FastCGI, SCGI, uwsgi, memcached and gRPC; known.ts says what a reason is. */
import type { Known } from './known.ts'

/** All of them. */
export const KNOWN_OF_GATEWAYS: readonly Known[] = [
  {
    why: 'newer nginx sends HTTP_HOST first, and always, and joins repeated fields',
    of: /^gateways: (?:fastcgi|scgi|uwsgi) requests: .*(?:\/nohead|\/none|Host: |Cookie: a=b, |Content-Type: t, C|Accept: a, X|[Aa]: a, A: b|A:, A: b|X-Forwarded-For: a, X)/,
    aspects: ['asked', 'access'],
    without:
      /(?<=^(?:upstream_bytes_sent|content_type)=).*|^PARAMS .*|^\d+:$|^0 \d+ 0$|\n {2}(?:HTTP_HOST|HTTP_COOKIE|HTTP_CONTENT_TYPE|HTTP_ACCEPT|HTTP_[AC]|HTTP_X_FORWARDED_FOR)=.*/gm,
  },
  {
    why: 'nginx takes an answer that is cut for complete',
    of: /^gateways: /,
    aspects: ['access'],
    without: /(?<=^request_completion=).*/gm,
  },
  {
    why: 'the same: it says nothing of a connection that ends within an answer whose length is known, or within a record',
    of: /^gateways: .*(?:cut|silence|no end|promised|length more)/,
    aspects: ['errors'],
    without: /^.*upstream prematurely closed connection.*$/gm,
  },
  {
    why: 'the same: records that are cut, and what is made of an answer that is, end the connection of the client',
    of: /^gateways: .*<- (?:record cut|cut)$/,
    aspects: ['replies', 'access', 'asked'],
    outcomes: [
      '200 -> 200, upstream prematurely closed connection',
      '200, (404), open() "" failed (2: No such file or directory) -> 200, upstream prematurely closed connection',
    ],
  },
  {
    why: 'how a body is cut into chunks depends on how it arrives, and on buffers',
    of: /^gateways: .*(?:byte ?by ?byte|bytewise|cut at|large|of 65535|in many|end later|silence)/,
    aspects: ['access'],
    without: /(?<=^(?:body_)?bytes_sent=).*/gm,
  },
  {
    why: 'a body that filters have changed is cut into chunks otherwise',
    of: /^gateways: .*\/(?:sub|ssi|page|add|gzip)/,
    aspects: ['access'],
    without: /(?<=^(?:body_)?bytes_sent=).*/gm,
  },
  {
    why: 'nginx cuts off before it has sent the head, if all comes at once',
    of: /^gateways: fastcgi .*<- (?:version|id|type) \d+ later$/,
    aspects: ['replies', 'access'],
    outcomes: [
      '200, upstream sent unsupported FastCGI protocol version: 2 -> 200, upstream sent unsupported FastCGI protocol version: 2',
      '200, upstream sent unexpected FastCGI request id low byte: 2 -> 200, upstream sent unexpected FastCGI request id low byte: 2',
      '200, upstream sent invalid FastCGI record type: 11 -> 200, upstream sent invalid FastCGI record type: 11',
    ],
  },
  {
    why: 'stderr that has come behind the head of an answer without a body is told',
    of: /^gateways: fastcgi .*HEAD .*stderr/,
    aspects: ['errors'],
    without: /^.*FastCGI sent in stderr: "(?:[^"]|\n)*".*$/gm,
  },
  {
    why: 'control bytes of stderr are escaped in the log',
    of: /^gateways: fastcgi .*(?:stderr (?:with|of) (?:many )?(?:line ends|NUL)|cut at 13$)/,
    aspects: ['errors'],
    without: /[\0-\x1f\x7f]|\\x[0-9A-F]{2}/g,
  },
  {
    why: 'a long stderr is told once for each read, and nginx has smaller buffers',
    of: /^gateways: fastcgi .*stderr (?:longer|of 65535)/,
    aspects: ['errors'],
    without: /^.*FastCGI sent in stderr.*\n?/gm,
  },
  {
    why: 'nginx tells an empty stderr when it has read the head of its record alone',
    of: /^gateways: fastcgi .*(?:byte by byte|cut at)/,
    aspects: ['errors'],
    without: /^.*FastCGI sent in stderr: "".*\n?/gm,
  },
  {
    why: 'nginx calls it the request when it is not buffered',
    of: /^gateways: fastcgi records: \/u <- less/,
    aspects: ['errors'],
    without: /(?:request|stdout)(?= while|,)/g,
  },
  {
    why: 'END_REQUEST ends an answer; nginx waits for the end of a connection that is not to be kept',
    of: /^gateways: fastcgi kept: GET \/o/,
    outcomes: [
      '200, 200, upstream timed out (110: Connection timed out) -> 200, 200, 200',
      '200, 200, upstream sent more data than specified in "" header, upstream timed out (110: Connection timed out) -> 200, 200, 200, upstream sent more data than specified in "" header',
      '204, 200, upstream timed out (110: Connection timed out) -> 204, 200, 200',
      '304, 200, upstream timed out (110: Connection timed out) -> 304, 200, 200',
      '204, 200, upstream sent more data than specified in "" header, upstream timed out (110: Connection timed out) -> 204, 200, 200',
    ],
  },
  {
    why: 'a connection is kept behind an answer to HEAD that has come whole, and after all that was promised',
    of: /^gateways: fastcgi kept: /,
    aspects: ['asked'],
    without: /^connection \d\n/gm,
  },
  {
    why: 'what was promised is there, whether END_REQUEST follows or not',
    of: /^gateways: fastcgi kept: GET \/k <- no end, sized$/,
    aspects: ['replies', 'access'],
    outcomes: [
      '200, upstream timed out (110: Connection timed out) -> 200, upstream timed out (110: Connection timed out)',
    ],
  },
  {
    why: 'names of fields that could be taken for the address of a proxy are not passed on',
    of: /^gateways: .* Proxy: x/,
    aspects: ['access', 'asked'],
    without: /\n {2}HTTP_PROXY=x|(?<=^upstream_bytes_sent=).*|^PARAMS .*|^\d+:$|^0 \d+ 0$/gm,
  },
  {
    why: "what stands behind the head of an answer without a body is nobody's",
    of: /^gateways: .*(?:204|304|\/nobuf <- (?:tagged|renewed))/,
    aspects: ['access', 'errors'],
    without: /(?<=^upstream_response_length=).*|^.*sent more data than specified.*$/gm,
  },
  {
    why: 'a status that is none is not passed on, nor an interim one as the final; a reason has a space before it',
    of: /^gateways: (?:.*<- status "(?:1\d\d |0|2000|404Not|404\\tNot)|(?:scgi|uwsgi) .*<- status line 10[13])/,
    outcomes: [
      '404 -> 404',
      '100 -> 502, upstream sent invalid status ""',
      '101 -> 502, upstream sent unexpected status ""',
      '103 -> 502, upstream sent invalid status ""',
      '99 -> 502, upstream sent invalid status ""',
      '(000) -> 502, upstream sent invalid status ""',
      '200 -> 200',
      '502, upstream sent unexpected :status "" -> 502, upstream sent unexpected :status ""',
      '502, upstream sent invalid :status "" -> 502, upstream sent invalid :status ""',
      '103 -> 200',
    ],
  },
  {
    why: 'an interim answer is followed by the one that counts',
    of: /^gateways: .*<- status line 10[03]$/,
    outcomes: ['100 -> 200'],
  },
  {
    why: 'a client of HTTP/1 learns of an Upgrade by Connection',
    of: /^gateways: (?:.*<- connection said|fastcgi .*<- status line 101)$/,
    aspects: ['replies', 'access'],
    without: /^Connection: .*\n|(?<=^bytes_sent=).*/gm,
  },
  {
    why: 'a charset that is not configured is taken as it is',
    of: /^gateways: .*<- accel charset$/,
    aspects: ['errors'],
    without: /^.*unknown charset "koi8-r" to override.*$/gm,
  },
  {
    why: 'a length that cannot be counted to is refused',
    of: /^gateways: .*<- length large$/,
    outcomes: [
      '200, upstream prematurely closed FastCGI request -> 502, upstream sent invalid "" header: ""',
      '200 -> 502, upstream sent invalid "" header: ""',
      '200, upstream prematurely closed connection -> 502, upstream sent invalid "" header: ""',
    ],
  },
  {
    why: 'a line has one CR at most',
    of: /^gateways: .*<- CR CR LF$/,
    outcomes: ['200 -> 502, upstream sent invalid header: ""'],
  },
  {
    why: 'what a head may have does not count records',
    of: /^gateways: fastcgi .*<- head as large as the buffer$/,
    outcomes: ['502, upstream sent too big header -> 200'],
  },
  {
    why: 'nginx reads no more than a head may have',
    of: /^gateways: (?:.*<- (?:head too large|fields too many|line too long)|(?:memcached|fastcgi records): HEAD .*<- (?:large|records? of|body large))/,
    aspects: ['access'],
    without: /(?<=^upstream_(?:bytes_received|response_length)=).*/gm,
  },
  {
    why: 'a body that is passed on as it comes is sent in the pieces in which it comes',
    of: /^gateways: .*POST .*\/stream/,
    aspects: ['access', 'asked'],
    without: /(?<=^upstream_bytes_sent=).*|^STDIN .*\n|^ {2}OTHER=.*/gm,
  },
  {
    why: 'the same, where the client leaves; newer nginx tells SCGI the whole length',
    of: /^gateways: (?:.*POST cut|scgi .*POST large) \/stream/,
  },
  {
    why: 'an application is told the length of a body, which is read first where it is not known',
    of: /^gateways: .*POST chunked large \/stream/,
    aspects: ['asked', 'access'],
    outcomes: ['200 -> 200, a client request body is buffered to a temporary file DIR/body/N'],
  },
  {
    why: 'the same: $request_length is what has come by then',
    of: /^gateways: fastcgi requests: POST .*\/streamlen$/,
    aspects: ['asked'],
    without: /^PARAMS .*|(?<=^ {2}OTHER=).*/gm,
  },
  {
    why: 'when a body is kept in a file depends on how it is read',
    of: /^gateways: fastcgi .*(?:POST chunked large \/stream|\/infile|\/crate|\/add <- large|store <- cut)/,
    aspects: ['errors'],
    without: /^.*(?:is buffered to a temporary file|kept\/store.*No such file).*\n?/gm,
  },
  {
    why: 'open: $content_length of a chunked body',
    of: /^gateways: fastcgi .*POST chunk/,
    aspects: ['access'],
    without: /(?<=^content_length=).*/gm,
  },
  {
    why: 'open: the words for a body that is too large have two numbers in nginx',
    of: /^gateways: .*POST chunked large \/limit/,
    aspects: ['errors'],
    without: /\d+(?:\+\d+)? bytes/g,
  },
  {
    why: 'the length of a body that came in chunks and is not passed on is not told, for the back end would wait for it',
    of: /^gateways: (?:scgi|uwsgi) .*POST chunked \/nobody/,
    outcomes: ['504, upstream timed out (110: Connection timed out) -> 200'],
  },
  {
    why: 'an empty path of an unfinished target is told',
    of: /^gateways: fastcgi .*%00$/,
    aspects: ['errors'],
    without: /, request: .*$/gm,
  },
  {
    why: 'nginx leaves the connection of a 412 without a word, and does not count a body whose range cannot be had',
    of: /^gateways: fastcgi together: .*(?:another tag|range beyond)$/,
    aspects: ['access'],
    without: /(?<=^upstream_response_length=).*/gm,
  },
  {
    why: 'open: the coding is logged of a page that ends within its first SSI command',
    of: /^gateways: fastcgi together: \/page\/set.html <- large$/,
    aspects: ['access'],
    without: /(?<=^sent_http_transfer_encoding=).*/gm,
  },
  {
    why: 'who is asked for what is taken back at once depends on how it arrives',
    of: /^gateways: grpc requests: (?:body cut by a reset|reset at once)$/,
    aspects: ['asked', 'access', 'errors'],
  },
  {
    why: 'HEAD is asked as GET where answers are kept',
    of: /^gateways: fastcgi cache: \/c /,
    aspects: ['asked', 'access'],
    without: /REQUEST_METHOD=.*|^PARAMS .*|(?<=^upstream_(?:bytes_sent|response_length)=).*/gm,
  },
  {
    why: 'stderr is told when it comes, and not kept with the answer',
    of: /^gateways: fastcgi cache: .*stderr/,
    aspects: ['errors'],
    without: /^.*FastCGI sent in stderr: "(?:words|more)".*\n?/gm,
  },
  {
    why: "frames of a connection are nobody's in particular: only the head and the body of a response are counted",
    of: /^gateways: grpc /,
    aspects: ['access'],
    without: /(?<=^upstream_(?:bytes_sent|bytes_received|response_length)=).*/gm,
  },
  {
    why: 'fields of a connection have no place in HTTP/2, and a body that is empty needs no frame',
    of: /^gateways: grpc requests/,
    aspects: ['asked'],
    without: /\n {2}connection: x$|^#1 data {2}end$|(?<=^#1 head) end$/gm,
  },
  {
    why: 'a body that is broken is found out before anybody is asked',
    of: /^gateways: grpc requests: of a length/,
    aspects: ['access', 'asked'],
    outcomes: [
      '(400), client prematurely closed stream: only 2 out of 5 bytes of request body received -> (400), client prematurely closed stream: only 2 out of 5 bytes of request body received',
      '(400), client intended to send body data larger than declared -> (400), client intended to send body data larger than declared',
    ],
  },
  {
    why: 'trailers of requests are taken',
    of: /^gateways: grpc requests: with trailers$/,
    outcomes: ['(499), client sent HEADERS frame with incorrect identifier 1, the last was 1 -> 200'],
  },
  {
    why: 'open: $content_length of a body that is passed on as it comes',
    of: /^gateways: grpc requests/,
    aspects: ['access'],
    without: /(?<=^content_length=).*/gm,
  },
  {
    why: 'connection is no field of HTTP/2, in trailers neither',
    of: /^gateways: grpc .*trailers with connection$/,
    aspects: ['replies'],
    without: /connection: close\n?|\n(?=grpc-status)/g,
  },
  {
    why: 'a connection is kept behind an answer without a body, and behind one that was reset once it was whole',
    of: /^gateways: grpc kept: (?:trailers only|status 404|length less|with RST_STREAM 8)$/,
    aspects: ['replies', 'access', 'asked'],
  },
  {
    why: 'how many streams there may be is heeded',
    of: /^gateways: grpc kept: with no stream$/,
    aspects: ['asked'],
    outcomes: ['200, 200, 200 -> 200, 200, 200'],
  },
  {
    why: 'part of a frame behind an answer belongs to what comes next',
    of: /^gateways: grpc kept: with garbage behind$/,
    outcomes: [
      '200, 200, 200, upstream sent too large http2 frame: 7895418 -> 200, 502, 200, upstream sent too large http2 frame: 7895418',
    ],
  },
  {
    why: 'nginx does not go on before its time-out when it has all but the last bytes of a frame',
    of: /^gateways: grpc answers: .*byte by byte$/,
    aspects: ['replies', 'access', 'errors'],
    outcomes: ['200, upstream timed out (110: Connection timed out) -> 200'],
  },
  {
    why: 'a stream that is given up is reset before its connection is closed',
    of: /^gateways: grpc /,
    aspects: ['asked'],
    without: /\n?^#\d reset 8$/gm,
  },
  {
    why: 'what is wrong with a block is told once, in other words, without the value',
    of: /^gateways: grpc answers/,
    aspects: ['errors'],
    without:
      /^.*upstream sent (?:invalid (?:http2|header|encoded|trailer)|too large http2 header|truncated http2|zero http2)[\s\S]*?host: "h".*\n?/gm,
  },
  {
    why: 'nginx cuts off before it has sent what came together with the cut',
    of: /^gateways: grpc .*(?:in the body|trailers with(?:out)? an?|trailers too large|length more|behind the end)/,
    aspects: ['replies', 'access'],
    without: /(?:ok|o|okay)(?=\n<reset \d+>)|(?<=^body_bytes_sent=)\d+$/gm,
  },
  {
    why: 'who notices first that a connection was reset, in a system call or the next, is chance',
    of: /^gateways: grpc answers: .*<- reset(?: within)?$/,
    aspects: ['errors'],
    without: /(?:recv|writev)\(\) failed \((?:104: Connection reset by peer|32: Broken pipe)\)/g,
  },
  {
    why: 'what nginx takes for the end because nothing more was promised has no end, and may have trailers',
    of: /^gateways: grpc .*<- (?:sized of 0 and no end|length 0|length 0 and data|length and trailers only)$/,
    outcomes: [
      '200, upstream prematurely closed connection -> 200, upstream prematurely closed connection',
      '200, upstream prematurely closed stream -> 502, upstream prematurely closed stream',
      '200 -> 200',
      '200, upstream sent response body larger than indicated content length -> 200, upstream sent response body larger than indicated content length',
    ],
  },
  {
    why: 'the answer to HEAD does not say that there would be no body',
    of: /^gateways: grpc .*HEAD /,
    aspects: ['replies', 'access'],
    without: /^content-length: 0\n|(?<=^sent_http_content_length=).*/gm,
  },
  {
    why: 'frames of a wrong size or on stream 0 are refused (RFC 9113, 6.3 and 6.2)',
    of: /^gateways: grpc .*<- (?:PRIORITY short|head of none|RST_STREAM of none|padded head, all)$/,
    outcomes: [
      '200, upstream rejected request with error 8 -> 200, upstream sent frame for unknown stream 0',
      '200 -> 502, upstream sent priority frame with invalid length: 3',
      '200, upstream sent invalid trailer "" -> 502, upstream sent frame for unknown stream 0',
      '(000) -> 502, upstream sent no :status header',
    ],
  },
  { why: 'an answer without a status is none', of: /^gateways: grpc .*<- (?:block empty)$/ },
  {
    why: 'fields may refer to earlier ones',
    of: /^gateways: grpc .*<- added to the table$/,
    outcomes: ['502, upstream sent invalid http2 table index: 62, upstream sent invalid header -> 200'],
  },
  {
    why: 'an interim answer is followed by the one that counts',
    of: /^gateways: grpc .*<- (?:interim|status "100")/,
    outcomes: [
      '502, upstream sent unexpected :status "" -> 502, upstream sent unexpected http2 frame: 0',
      '502, upstream sent unexpected :status "" -> 200',
      '103 -> 200',
      '502, upstream sent unexpected :status "" -> 502, upstream prematurely closed stream',
    ],
  },
  {
    why: 'nginx wants room for what a coded text could become',
    of: /^gateways: grpc .*<- (?:head|trailers) large$/,
    outcomes: [
      '502, upstream sent too large http2 header value length: 4200, upstream sent invalid header -> 200',
      '200, upstream sent too large http2 header value length: 4200, upstream sent invalid trailer -> 200',
      '200 -> 200',
    ],
  },
  {
    why: 'space around a value is no part of it',
    of: /^gateways: grpc .*<- value with spaces$/,
    aspects: ['replies'],
    without: /(?<=^x: ) *a *$/gm,
  },
  {
    why: 'what cannot follow a head that is not over is told as such',
    of: /^gateways: grpc .*<- CONTINUATION of another$/,
    aspects: ['errors'],
    without: /upstream sent (?:frame for unknown stream 3|unexpected http2 frame: 9)/g,
  },
  {
    why: 'nginx says what it owes when it next has something to say',
    of: /^gateways: grpc /,
    aspects: ['asked'],
    without: /^(?:settings taken|ping 1 .*|goaway .*)\n?|\n(?:settings taken|ping 1 .*|goaway .*)$/gm,
  },
  {
    why: 'bytes behind a miss are told, and cost the connection',
    of: /^gateways: memcached: .*miss and more$/,
    aspects: ['errors', 'asked'],
    without: /^.*sent more data than specified.*$|connection \d|\s+/gm,
  },
  {
    why: 'control bytes are escaped in the log',
    of: /^gateways: memcached: .*NUL$/,
    aspects: ['errors'],
    without: /[\0-\x09\x0b-\x1f\x7f]|\\x[0-9A-F]{2}/g,
  },
  {
    why: 'nginx cuts a line of its log at 2048 bytes',
    of: /^gateways: memcached: \/key\?k=x+ 3007$/,
    aspects: ['errors'],
    without: /(?<=x{900})x*.*$/gm,
  },
  {
    why: 'a chain that is too long is called so; nginx tells the last of all that OpenSSL has found',
    of: /^gateways: \w+ ssl trust: \/far-0$/,
    aspects: ['errors'],
    without: /(?<=verify error: )\((?:20:unable to get local issuer certificate|22:certificate chain too long)\)/g,
  },
  {
    why: "Node's engine takes names for UTF-8 (use epoll)",
    of: /^gateways: \w+ ssl trust: \/named-arg\?n=\xe4/,
    aspects: ['asked'],
    without: /(?<=, name )[^,]*/g,
  },
  {
    why: "with Node's engine a back end that is not trusted does not hear the end of our handshake (use epoll)",
    of: /^gateways: \w+ ssl (?:trust: \/(?:verified-(?:arg|told|default)|common-name|expired-trusted|lone-not|trusts-|far-(?:0|middle|listed)|revoked-listed)|next: \/first <- nothing)/,
    aspects: ['asked'],
    without: /^(?:TLS .*|no TLS: ECONNRESET|connection \d)\n?/gm,
  },
  {
    why: 'newer OpenSSL has another word',
    of: /^gateways: \w+ ssl spoken: /,
    aspects: ['errors'],
    without: /(?<=SSL routines::)(?:sslv3|ssl\/tls)(?= alert handshake failure)/g,
  },
  {
    why: 'newer OpenSSL does not even ask for TLS 1.1 at the security level that it has by default',
    of: /^gateways: \w+ ssl spoken: \/old-11$/,
    aspects: ['errors', 'asked'],
    without:
      /error:0A0000BF:SSL routines::no protocols available|error:0A00042E:SSL routines::tlsv1 alert protocol version:SSL alert number 70|(?<=no TLS: ERR_SSL_)\w+/g,
  },
  {
    why: 'whether nginx has read a ticket before it closes the connection is chance',
    of: /^gateways: \w+ ssl spoken: \/again$/,
    aspects: ['asked'],
    without: /(?<=^TLS .*, )(?:again|new)$/gm,
  },
]

/** Over HTTP/2, in addition. */
export const KNOWN_OF_GATEWAYS_OVER_HTTP2: readonly Known[] = [
  {
    why: 'space around a value is no part of it (RFC 9113, 8.2.1)',
    of: /^gateways: .*<- value in tabs$/,
    aspects: ['replies'],
    without: /(?<=^x: )\t?a\t?$/gm,
  },
  {
    why: 'an application is told the length of a body, which is read first where it is not known',
    of: /^gateways: fastcgi requests: POST chunk(?:s|ed empty) \/stream$/,
    aspects: ['asked'],
    without: /^PARAMS .*|(?<=CONTENT_LENGTH=)\d*$/gm,
  },
  {
    why: 'the same: a body that is taken back reaches nobody, and who takes it back has left',
    of: /^gateways: fastcgi requests: POST chunked bad \/stream$/,
    aspects: ['access', 'asked'],
    outcomes: [
      '(400), client prematurely closed connection -> (499), client prematurely closed connection, client prematurely closed stream',
    ],
  },
  {
    why: 'what a client may not send is told of the request that it belongs to',
    of: /^gateways: \w+ requests: POST large /,
    aspects: ['errors'],
    without: /(?<=, available window 0) while processing HTTP\/2 connection|, server: (?:h|127\.0\.0\.1:PORT0)$/gm,
  },
  {
    why: 'a body that comes with the head is looked at first, so that its frame counts',
    of: /^gateways: fastcgi requests: .*\/streamlen$/,
    aspects: ['asked'],
    without: /^PARAMS .*|(?<=^ {2}OTHER=).*/gm,
  },
  {
    why: 'which of a request and its copy is heard first',
    of: /^gateways: fastcgi together: \/(?:copy|mirror) /,
    aspects: ['asked'],
    orderless: true,
  },
  {
    why: 'a page that ends within its first SSI command has no head yet',
    of: /^gateways: fastcgi together: \/page\/set.html <- large$/,
    aspects: ['replies'],
    without: /(?<=#1 ):status: 200\ncontent-type: text\/html\n\n/g,
  },
  {
    why: 'libraries compress differently',
    of: /^gateways: fastcgi together: \/gzip <- large$/,
    aspects: ['replies'],
    without: /\x1f\x8b[\s\S]*(?=\n<end>)/g,
  },
]
