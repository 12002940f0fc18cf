/** Directives of nginx that Viaduct does not have: why not, and how to go on without them. */

const REASONS: readonly (readonly [names: RegExp, hint: string])[] = [
  [/^geoip_/, 'MaxMind no longer makes databases of that format: use "geoip2" with a .mmdb file'],
  [/^(?:xslt_|xml_)/, 'Node has no XSLT processor, and one in JavaScript would be too slow: transform in the back end'],
  [/^perl/, 'there is no Perl in this program: use "map", "rewrite" and SSI, or a small service and "proxy_pass"'],
  [/^(?:quic|http3)/, 'Node has no QUIC for servers yet: HTTP/2 serves the same clients'],
  [/^google_perftools_profiles$/, 'remove the line: it profiles C; `perf` shows where a worker spends its time'],
  [/^(?:f4f|hls)/, 'package the stream beforehand, as ffmpeg does, and serve its files'],
  [/^degrad/, 'use "limit_conn", and let the system limit the memory'],
  [/^ntlm$/, 'use "keepalive" and let the back end authenticate by tokens'],
  [
    /^(?:devpoll_|eventport_events|kqueue_|iocp_threads|acceptex_read|post_acceptex)/,
    'remove the line: libuv chooses how events are waited for',
  ],
]

/** What helps who uses a directive that is not there; undefined when there is nothing to say yet. */
export function refusalHint(name: string): string | undefined {
  return REASONS.find(([names]) => names.test(name))?.[1]
}
