/** The payload of a SETTINGS frame (RFC 9113, 6.5.1): pairs of a name and a value. */
import { u16, u32 } from './frames.ts'

/** Bytes of one setting; the length of a frame is a multiple of it. */
export const SETTING_SIZE = 6

/** Takes settings one by one. */
export interface SettingsReceiver {
  /** False: the value must not be; what follows is not read. */
  onSetting(name: number, value: number): boolean
}

/** Hands over the settings of a frame in their order; false when one was refused. */
export function readSettings(buffer: Buffer, start: number, end: number, to: SettingsReceiver): boolean {
  for (let at = start; at < end; at += SETTING_SIZE) {
    if (!to.onSetting(u16(buffer, at), u32(buffer, at + 2))) return false
  }
  return true
}
