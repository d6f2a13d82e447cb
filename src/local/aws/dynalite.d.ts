/** dynalite 4 has no types of its own; these are the parts that are used here. */
declare module 'dynalite' {
  import type { Server } from 'node:http';

  /**
   * Milliseconds that tables stay in CREATING, UPDATING and DELETING. The tables live in memory.
   */
  type Options = {
    readonly createTableMs: number;
    readonly updateTableMs: number;
    readonly deleteTableMs: number;
  };

  /** An HTTP server, not listening yet. */
  const dynalite: (options: Options) => Server;
  export default dynalite;
}
