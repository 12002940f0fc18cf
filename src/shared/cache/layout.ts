/**
 * Where everything stands in the keys zone of a cache. The memory is words; a cell has 32 of them (128 bytes, as an entry
 * has in nginx: 8,000 keys to the megabyte) and is one of five kinds:
 *
 *     | zone header | cache header | buckets of entries | buckets of tags | cells ... |
 *
 *     ENTRY    one key: its state, its place in the order of use, its first two tags
 *     TAGS     nine more tags of an entry
 *     FLIGHT   a response that is being fetched and stored: what others need to read it meanwhile
 *     RULE     a purge that entries have still to be held against (prefix, key, tag), with the first bytes of its text
 *     TEXT     more of that text
 *
 * A cell is named by the index of its first word, 0 meaning none. The kind is written last when a cell is taken and first
 * when it goes, so what a dying thread leaves half done can be told from the rest.
 */

/** Words of the cache header. */
export const BUCKET_MASK = 16
export const TAG_MASK = 17
export const CELLS_AT = 18
export const CELLS_END = 19
export const FREE = 20
export const FREE_COUNT = 21
export const NEWEST = 22
export const OLDEST = 23
export const ENTRY_COUNT = 24
export const LAST_GENERATION = 25
export const LOADING = 26
export const FIRST_RULE = 27
export const RULE_COUNT = 28
export const LAST_PURGE = 29
export const LAST_LOCK = 30
export const LAST_RULE = 31
/** Two words, a float: bytes of the files, and bytes that files under way have reserved. */
export const SIZE = 32
export const RESERVED = 34
export const FLIGHT_COUNT = 36
export const DOOMED_COUNT = 37
/** Cells from here on were never used, and cost no memory yet. */
export const FRESH = 38
/** A bell for each of 32 threads. */
export const BELLS = 40
export const COUNTERS = 72
/** The last tags that were purged, for responses that were under way: how many there were, then hashes and numbers of purges. */
export const TAG_PURGES = 39
export const RECENT_TAGS = 168
export const RECENT_TAGS_MAX = 32
export const BUCKETS_AT = 256

/** `LOADING`: files may be there that no entry knows; they are being looked for; all are known. */
export const COLD = 0
export const BEING_LOADED = 1
export const LOADED = 2

/** Words of a cell of any kind. */
export const CELL_WORDS = 32
export const NEXT = 0
export const KIND = 1
/** Kinds of cells. */
export const FREE_CELL = 0
export const ENTRY = 1
export const TAGS = 2
export const FLIGHT = 3
export const RULE = 4
export const TEXT = 5

/** Words of an entry, beside NEXT (in its bucket) and KIND. */
export const KEY = 2
export const NEWER = 6
export const OLDER = 7
export const STATE = 8
/** Uses in the low bits; above them until when nobody waits (PASS), in seconds of which the higher bits are lost. */
export const USES = 9
export const USERS = 10
export const GENERATION = 11
/** Seconds: when nobody will have used it for `inactive`; when the object, or what is remembered instead, expires. */
export const INACTIVE_AT = 12
export const VALID_UNTIL = 13
/** Size of the file in units of 512 bytes. */
export const BLOCKS = 14
export const BODY_START = 15
/** Until when (monotonic ms) the lock holds; which lock it is. */
export const LOCK_UNTIL = 16
export const LOCK = 17
/** What is being stored under the key, once its head is in a file. */
export const OWN_FLIGHT = 18
/** Variants: the entry of the main key, and the next variant of the same; in the main entry the first one. */
export const MAIN = 19
export const VARIANT = 20
/** The last purge that took what was stored here. */
export const PURGED = 21
/** Threads (a bit each) in which somebody waits, and a number that changes when there is something to tell them. */
export const WAITING = 22
export const EVENT = 23
export const MORE_TAGS = 24
/** The last purge that this entry was held against. */
export const PURGE = 25
export const FIRST_TAGS = 26
/** Tags in the entry itself, and words of one: hash, next and previous of its bucket. */
export const FIRST_TAGS_MAX = 2
export const TAG_WORDS = 3

/** The two parts of USES. */
export const USES_MAX = 1023
export const PASS_SHIFT = 10
export const PASS_MASK = 0x3fffff

/** Bits of STATE; from ERROR_SHIFT on the status that is remembered instead of an object. */
export const EXISTS = 1
export const UPDATING = 2
export const DOOMED = 4
export const PASS = 8
export const SECONDARY = 16
export const UNSEEN = 32
export const EXPIRED = 64
export const ERROR_SHIFT = 16

/** Words of a cell with tags: NEXT of the same entry, the entry, and nine of them. */
export const TAGS_OWNER = 2
export const MORE_TAGS_AT = 5
export const MORE_TAGS_MAX = 9

/** Words of a flight. */
export const FLIGHT_ENTRY = 2
export const FLIGHT_STATE = 3
export const FLIGHT_FD = 4
export const FLIGHT_BODY_START = 5
export const FOLLOWERS = 6
export const FLIGHT_WAITING = 7
/** Floats: bytes of the body that are written, its whole length or -1, bytes that are reserved. */
export const WRITTEN = 8
export const EXPECTED = 10
export const FLIGHT_RESERVED = 12
export const FLIGHT_EVENT = 14
/** The number of the thread that stores it, plus one; 0: it has ended. */
export const FLIGHT_OWNER = 15

/** Words of a rule: NEXT is the next rule; TEXT cells continue its text. */
export const RULE_PURGE = 2
export const RULE_TYPE = 3
export const RULE_SIZE = 4
export const RULE_MORE = 5
export const RULE_TEXT_AT = 6
export const TEXT_AT = 2
