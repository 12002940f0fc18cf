/** How fast a response goes out, when its maker says so and not `limit_rate_after` of its location. */
import { defineSlot } from '../request/slots.ts'

/** Bytes that go out before `Request.limitRate` holds. */
export const unlimitedBytes = defineSlot<number>()
