/**
 * What nginx 1.22 chose, one letter per request, of these servers (in the `Down` lists `c` is down):
 *
 *     server 127.0.0.2:18081;            a        server 127.0.0.4:18083 weight=2;            c
 *     server 127.0.0.3:18082;            b        server unix:/tmp/ketama.sock weight=5;      d
 *
 * Keys are `key-0` ... `key-299`; addresses, given by `real_ip_header`, are those of `recordedAddress`.
 */
/** One text per method. */
export const RECORDED = {
  consistent:
    'cbddcbbddbdbdddddbddddadddbbbdddddddadaddcbadddcbddddddcbddddddddccdcccdcddbbaddadadbdddcdaddddddcdd' +
    'dabdcddddacbbbabdcbccdbddddddadbdbddccadddaddcddddadcbadddcbdddddddcddadaccbddcacdadcdacdcdbbcddbccb' +
    'ddddadbdcacddddbdddccdddaacdabddbbbdbcdacdcdbbddcbdadccddbccbddbccdcbccddcddddddcbcddaddddddddcadaad',
  consistentDown:
    'dbddabbddbdbdddddbddddadddbbbdddddddadadddbaddddbdddddddbdddddddddddddadbddbbaddadadbdddddaddddddadd' +
    'dabddddddadbbbabddbbbdbddddddadbdbddddadddadddddddaddbaddddbddddddddddadaaabdddaddadadaddddbbaddbddb' +
    'ddddadbddadddddbddddddddaaddabddbbbdbddabdddbbdddbdadddddbddbddbaadbbddddddddddddbaddadddddddddadaad',
  hash:
    'dddddccdcbddddcdcddcdddbdbadbdbcddddddbcadddabddcdddbadddacdddbdddddddddbdddcdbbddacdbcabadadadcbdda' +
    'addbddadcdbdcadddddbdddbddddddbaaddbcddadcccddbdcdcdddddcdadddcddddbcaddadbaddcdbddddbbdadbdddcbbcdd' +
    'ddaddcddddcadcadccdddcccdddddddccccddcbddddccbdcccdddaddbdddddcacdaddbdcdcdadddcaabdcccdaddddadddcbc',
  hashDown:
    'dddddadddbdddddddddadddbdbadbdbdddddddbdadddabddddddbadddaddddbdddddddddbdddddbbddaddbdabadadaddbdda' +
    'addbddadddbddadddddbdddbddddddbaaddbbddadddaddbdddadddddddaddddddddbdaddadbaddbdbddddbbdadbddddbbddd' +
    'ddaddddddddaddaddddddbdbddddddddbbadddbddddadbdadddddaddbddddddaadaddbdddddaddddaabdddddaddddaddddbd',
  ipHash:
    'adbdcddbdcdcbdcdcddccddadcddadbddadbdbdccbdcdcddcdcddcdcddadddadbddadbddadddbdccddcdcddadcddadcddadd' +
    'dadbdcadbdbdcdcddcdddadcddadcddadbddaddcddbdcdcdcddcdcddadddadbddadbddadbdcadbcdcbdddcdcddadcddaddda' +
    'ddbddbddbddcddcbddcddcddcadcadcadcbddbddbaddbddbddcddcddcddcadcadcaddcadcaddbddbddbddcddcddcaddcddcd',
  ipHashDown:
    'adbddddbdddabdddddddbddaddddadbddadbdbdddbddddddddadddddddadddadbddadbddadddbdddddddbddaddddadbddadd' +
    'dadbdaadbdbddddddbdddaddddaddddadbddadddddbddddddddaddddadddadbddadbddadbdaadbbddbddddddddaddddaddda' +
    'ddbddbddbdddddbbdddddddddaddadbaddbddbddbaddbddbddddddddddddaddaddadddaddaddbddbddbdddddddddaddbdddd',
  roundRobin: 'dcdadbdcddcdadbdcddcdadbdcddcdadbdcddcda',
  leastConn: 'dcdadbdcddcdadbdcddcdadbdcddcdadbdcddcda',
} as const

/** The address of request `i`: 200 of IPv4, then 100 of IPv6. */
export function recordedAddress(i: number): string {
  if (i < 200) return `${(i % 223) + 1}.${(i * 7) % 256}.${(i * 13) % 256}.${i % 256}`
  const n = i - 200
  return `2001:db8::${n.toString(16)}:${((n * 31) % 65536).toString(16)}`
}
