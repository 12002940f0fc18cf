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
  },
  {
    why: 'names of fields that could be taken for the address of a proxy are not passed on',
    of: /^gateways: .* Proxy: x/,
  },
  {
    why: "what stands behind the head of an answer without a body is nobody's",
    of: /^gateways: .*(?:204|304|\/nobuf <- (?:tagged|renewed))/,
    aspects: ['access', 'errors'],
    without: /(?<=^upstream_response_length=).*|^.*sent more data than specified.*$/gm,
  },
  {
    why: 'a status that is none is not passed on, nor an interim one as the final; a reason has a space before it',
    of: /^gateways: .*<- status (?:"(?:1\d\d |0|2000|404Not|404\\tNot)|line 10[13])/,
  },
  {
    why: 'an interim answer is followed by the one that counts',
    of: /^gateways: .*<- status line 10[03]$/,
  },
  {
    why: 'a client of HTTP/1 learns of an Upgrade by Connection',
    of: /^gateways: .*<- connection said$/,
    aspects: ['replies', 'access'],
    without: /^Connection: .*\n|(?<=^bytes_sent=).*/gm,
  },
  { why: 'a length that cannot be counted to is refused', of: /^gateways: .*<- length large$/ },
  { why: 'a line has one CR at most', of: /^gateways: .*<- CR CR LF$/ },
  { why: 'what a head may have does not count records', of: /^gateways: fastcgi .*<- head as large as the buffer$/ },
  {
    why: 'nginx reads no more than a head may have',
    of: /^gateways: .*<- (?:head too large|fields too many|line too long)/,
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
  },
  {
    why: 'when a body is kept in a file depends on how it is read',
    of: /^gateways: fastcgi .*(?:POST chunked large \/stream|\/infile|\/crate|store <- cut)/,
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
  },
  { why: 'trailers of requests are taken', of: /^gateways: grpc requests: with trailers$/ },
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
  { why: 'how many streams there may be is heeded', of: /^gateways: grpc kept: with no stream$/, aspects: ['asked'] },
  {
    why: 'part of a frame behind an answer belongs to what comes next',
    of: /^gateways: grpc kept: with garbage behind$/,
  },
  {
    why: 'nginx does not go on before its time-out when it has all but the last bytes of a frame',
    of: /^gateways: grpc answers: .*byte by byte$/,
    aspects: ['replies', 'access', 'errors'],
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
    of: /^gateways: grpc .*(?:in the body|trailers with(?:out)? an?|trailers too large|length more)/,
    aspects: ['replies', 'access'],
  },
  {
    why: 'what nginx takes for the end because nothing more was promised has no end, and may have trailers',
    of: /^gateways: grpc .*<- (?:sized of 0 and no end|length 0|length 0 and data|length and trailers only)$/,
  },
  {
    why: 'the answer to HEAD does not say that there would be no body',
    of: /^gateways: grpc .*HEAD /,
    aspects: ['replies', 'access'],
    without: /^content-length: 0\n|(?<=^sent_http_content_length=).*/gm,
  },
  {
    why: 'frames of a wrong size or on stream 0 are refused (RFC 9113, 6.3 and 6.2)',
    of: /^gateways: grpc .*<- (?:PRIORITY short|head of none|RST_STREAM of none|PRIORITY of a head, short|padded head)/,
  },
  { why: 'an answer without a status is none', of: /^gateways: grpc .*<- (?:block empty)$/ },
  { why: 'fields may refer to earlier ones', of: /^gateways: grpc .*<- added to the table$/ },
  {
    why: 'an interim answer is followed by the one that counts',
    of: /^gateways: grpc .*<- (?:interim|status "100")/,
  },
  { why: 'nginx wants room for what a coded text could become', of: /^gateways: grpc .*<- (?:head|trailers) large$/ },
  { why: 'space around a value is no part of it', of: /^gateways: grpc .*<- value with spaces$/, aspects: ['replies'] },
  {
    why: 'what cannot follow a head that is not over is told as such',
    of: /^gateways: grpc .*<- CONTINUATION of another$/,
    aspects: ['errors'],
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
    why: 'control bytes are escaped in the log, and lines have an end',
    of: /^gateways: memcached: .*(?:NUL|\/key\?k=x+ \d+)$/,
    aspects: ['errors'],
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
    without: /^(?:TLS .*|no TLS: ECONNRESET)\n?/gm,
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
