/** How long credentials live when nothing is asked, in seconds: STS's minimum. */
export const DEFAULT_SECONDS = 900;
/** The shortest life that can be asked for, and that STS gives. */
export const STS_MINIMUM_SECONDS = 900;
/** The longest: the TVM's own credentials are a role's, and role chaining ends at one hour. */
export const LONGEST_SECONDS = 3_600;

/**
 * The life of the credentials in seconds: what is asked (15 minutes if nothing is), cut by every cap. Caps may go below
 * STS's minimum; a session policy then ends the credentials early.
 */
export const effectiveSeconds = (asked: number | undefined, caps: readonly (number | undefined)[]): number =>
  Math.floor(
    caps.reduce<number>(
      (least, cap) => Math.min(least, cap ?? LONGEST_SECONDS),
      Math.min(asked ?? DEFAULT_SECONDS, LONGEST_SECONDS),
    ),
  );
