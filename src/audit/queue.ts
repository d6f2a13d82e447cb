/** A line that waits to be written. */
export type Line = {
  readonly bytes: Buffer;
  /** Lines of refusals have a lane of their own, because strangers decide how many there are. */
  readonly lane: Lane;
  /** Whether the line counts as lost if it is not written: no other line says what it says. */
  readonly countsIfLost: boolean;
  /** Called once, with whether the line was written. */
  readonly settle: (written: boolean) => void;
};

export type Lane = 'proven' | 'refusals';

/**
 * How many bytes may wait in each lane, including those that are being written. A reader that lags
 * further behind than this stops the vending. No stranger takes room from a vend.
 */
const PROVEN_ROOM = 6 * 1024 * 1024;
const REFUSALS_ROOM = 2 * 1024 * 1024;
const ROOM: Readonly<Record<Lane, number>> = { proven: PROVEN_ROOM, refusals: REFUSALS_ROOM };

/**
 * How many bytes of each lane go out in one write. A vend's line waits behind one write at most, so
 * that write may not hold many refusals, which a slow reader would take long to read.
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
    const batch = [
      ...takeFrom(lanes.proven, PROVEN_BATCH),
      ...takeFrom(lanes.refusals, REFUSALS_BATCH),
    ];
    underWay = batch.length;
    return batch;
  }

  /** Frees the room of lines whose write is over, whether it succeeded or not. */
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
