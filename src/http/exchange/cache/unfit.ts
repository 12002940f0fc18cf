/** For filters that find a response wrong as such, not only for the client that asks: it is not kept. */
import { defineMark } from '../../request/slots.ts'

/** A mark of the request that got the response, to be set before its head has passed the filters. */
export const UNFIT = defineMark(1)
