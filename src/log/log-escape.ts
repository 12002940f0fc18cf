/**
 * Escaping of variables in `log_format` (ngx_http_log_escape, ngx_escape_json), on binary strings. Most values need none,
 * so one scan decides and returns the value itself.
 */

const DEFAULT_UNSAFE = /["\\\0-\x1f\x7f-\xff]/
const DEFAULT_EACH = /["\\\0-\x1f\x7f-\xff]/g
const JSON_UNSAFE = /["\\\0-\x1f]/
const JSON_EACH = /["\\\0-\x1f]/g

const DEFAULT_ESCAPES = Array.from({ length: 256 }, (_, byte) => '\\x' + hex(byte))
const JSON_SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\f': '\\f',
}

/** `escape=default`: quotes, backslashes and bytes outside of printable ASCII become `\xHH`. */
export function escapeDefault(value: string): string {
  return DEFAULT_UNSAFE.test(value) ? value.replace(DEFAULT_EACH, defaultEscape) : value
}

/** `escape=json`: what may not stand in a JSON string is escaped; bytes above ASCII stay. */
export function escapeJson(value: string): string {
  return JSON_UNSAFE.test(value) ? value.replace(JSON_EACH, jsonEscape) : value
}

function defaultEscape(c: string): string {
  return DEFAULT_ESCAPES[c.charCodeAt(0)]!
}

function jsonEscape(c: string): string {
  return JSON_SHORT[c] ?? '\\u00' + hex(c.charCodeAt(0))
}

function hex(byte: number): string {
  return byte.toString(16).toUpperCase().padStart(2, '0')
}
