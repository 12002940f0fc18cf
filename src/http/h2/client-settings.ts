/** What a client says in its SETTINGS (RFC 9113, 6.5.2), and what is wrong with it. */
import {
  ENABLE_CONNECT_PROTOCOL,
  ENABLE_PUSH,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_DEFAULT,
  FRAME_SIZE_LIMIT,
  HEADER_TABLE_SIZE,
  INITIAL_WINDOW_SIZE,
  MAX_FRAME_SIZE,
  PROTOCOL_ERROR,
  WINDOW_DEFAULT,
  WINDOW_MAX,
} from './wire/frames.ts'
import type { SettingsReceiver } from './wire/settings.ts'

/** One client's settings. */
export class ClientSettings implements SettingsReceiver {
  initialWindow = WINDOW_DEFAULT
  frameMax = FRAME_SIZE_DEFAULT
  /** The table of the client has another size: the next block has to say that none of it is used. */
  tableUpdate = false
  /** Why `onSetting` answered false, and with which code the connection ends. */
  problem = ''
  code = 0

  onSetting(name: number, value: number): boolean {
    switch (name) {
      case INITIAL_WINDOW_SIZE:
        if (value > WINDOW_MAX) return this.#refuse('INITIAL_WINDOW_SIZE', value, FLOW_CONTROL_ERROR)
        this.initialWindow = value
        return true
      case MAX_FRAME_SIZE:
        if (value > FRAME_SIZE_LIMIT || value < FRAME_SIZE_DEFAULT) return this.#refuse('MAX_FRAME_SIZE', value)
        this.frameMax = value
        return true
      case ENABLE_PUSH:
        return value <= 1 || this.#refuse('ENABLE_PUSH', value)
      case ENABLE_CONNECT_PROTOCOL:
        return value <= 1 || this.#refuse('ENABLE_CONNECT_PROTOCOL', value)
      case HEADER_TABLE_SIZE:
        this.tableUpdate = true
        return true
      default:
        return true
    }
  }

  #refuse(name: string, value: number, code = PROTOCOL_ERROR): false {
    this.problem = `client sent SETTINGS frame with incorrect ${name} value ${value}`
    this.code = code
    return false
  }
}
