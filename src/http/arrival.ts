import type { IncomingMessage } from 'node:http';
import type { WireHead } from '../sigv4/request.ts';

/** A request on the wire, before anything is known of who sent it. */
export type Arrival = {
  readonly head: WireHead;
  readonly incoming: IncomingMessage;
  readonly requestId: string;
  /**
   * Takes a place among the requests that are worked on, until this one is over; false if there is
   * none.
   */
  readonly admit: () => Promise<boolean>;
  /**
   * What the Lambda Web Adapter says of the request; undefined unless the server stands behind a
   * front that verified it.
   */
  readonly lambdaContext: string | undefined;
};
