/** What counts as yes where nginx takes "string ..." or `if=`: anything but nothing and `0` (ngx_http_test_predicates). */
export function isTrue(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== '0'
}
