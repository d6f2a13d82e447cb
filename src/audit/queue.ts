/** A line that waits to be written. */
export type Line = {
  readonly bytes: Buffer;
  /** Lines of refusals have a lane of their own, for strangers decide how many there are. */
  readonly lane: Lane;
  /** Whether nothing else tells what this line says, should it not be written. */
  readonly countsIfLost: boolean;
  /** Told once: whether the line was written. */
  readonly settle: (written: boolean) => void;
};

export type Lane = 'proven' | 'refusals';

/**
 * How many bytes may wait in each lane, those that are being written among them: a reader that lags
 * further behind than this stops the vending, and no stranger takes room from a vend.
 */
const PROVEN_ROOM = 6 * 1024 * 1024;
const REFUSALS_ROOM = 2 * 1024 * 1024;
const ROOM: Readonly<Record<Lane, number>> = { proven: PROVEN_ROOM, refusals: REFUSALS_ROOM };

/**
 * How much of each lane goes out in one write. A vend's line waits behind one write at most, so with
 * a slow reader it may not find much of the refusals before it.
 */
const PROVEN_BATCH = 64 * 1024;
const REFUSALS_BATCH = 16 * 1024;

/** Takes from a lane, in order, what fits into one write; one line at least, if there is one. */
function takeFrom(lane: Set<Line>, most: number): readonly Line[] {
  const taken: Line[] = [];
  let bytes = 0;
  for (const line of lane) {
    if (taken.length > 0 && bytes + line.bytes.length > most) break;
    lane.delete(line);
    taken.push(line);
    bytes += line.bytes.length;
  }
  return taken;
}

/** Lines that wait, in two lanes, each in order and with its own bound. */
export function createQueue() {
  const lanes: Readonly<Record<Lane, Set<Line>>> = { proven: new Set(), refusals: new Set() };
  const used: Record<Lane, number> = { proven: 0, refusals: 0 };
  let underWay = 0;

  function hasRoom(lane: Lane, bytes: number): boolean {
    return used[lane] + bytes <= ROOM[lane];
  }

  function add(line: Line): void {
    lanes[line.lane].add(line);
    used[line.lane] += line.bytes.length;
  }

  /** Takes a line back, unless its write has begun. */
  function withdraw(line: Line): void {
    if (lanes[line.lane].delete(line)) used[line.lane] -= line.bytes.length;
  }

  /** The lines of the next write: the proven first. */
  function take(): readonly Line[] {
    const batch = [...takeFrom(lanes.proven, PROVEN_BATCH), ...takeFrom(lanes.refusals, REFUSALS_BATCH)];
    underWay = batch.length;
    return batch;
  }

  /** The write of these is over, well or not. */
  function release(batch: readonly Line[]): void {
    for (const { lane, bytes } of batch) used[lane] -= bytes.length;
    underWay = 0;
  }

  /** How many lines are not written yet. */
  function size(): number {
    return lanes.proven.size + lanes.refusals.size + underWay;
  }

  return { hasRoom, add, withdraw, take, release, size };
}
