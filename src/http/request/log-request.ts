/** The log phase (ngx_http_log_request): what modules do once the response is out, whatever carried the request. */
import type { Request } from './request.ts'

/** Runs the log steps of the location that the request ended in. */
export function logRequest(r: Request): void {
  const { logSteps } = r.location
  for (let i = 0; i < logSteps.length; i++) {
    const step = logSteps[i]!
    step.run(r, step.conf as never)
  }
}
