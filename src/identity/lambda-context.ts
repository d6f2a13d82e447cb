import * as v from 'valibot';
import type { Clock } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { parseStrictJson } from '../lib/strict-json.ts';
import type { SigV4Refusal } from '../sigv4/refusal.ts';
import type { WireRequest } from '../sigv4/request.ts';
import { toAwsCaller, type Admission, type AwsIdentity } from './aws-identity.ts';
import {
  claimsNoKey,
  fromSigV4,
  notAuthentic,
  type Arriving,
  type AuthenticCaller,
  type Authenticator,
  type Facts,
  type IdentityRefusal,
  type Prove,
} from './authenticator.ts';
import { toFrontClaim } from './front-claim.ts';
import type { KeyRing } from './key-ring.ts';

/** The fronts of AWS Lambda that verify SigV4 themselves (AWS_IAM). */
export type LambdaFront = 'function-url' | 'http-api' | 'rest-api';

/** What the context of one request says: who signed, and with which access key. */
export type FrontIdentity = AwsIdentity & { readonly accessKeyId: string };

const text = v.pipe(v.string(), v.minLength(1));

/**
 * HTTP APIs and Function URLs share a shape:
 * https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 */
const HttpContext = v.object({
  apiId: text,
  authorizer: v.object({
    iam: v.object({ accessKey: text, accountId: text, userArn: text, userId: text }),
  }),
});

/**
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
 */
const RestContext = v.object({
  apiId: text,
  identity: v.object({
    accessKey: text,
    accountId: text,
    userArn: text,
    /** The caller's unique id, with the session's name for a session, as in GetCallerIdentity. */
    user: text,
  }),
});

function refused(error: SigV4Refusal['error'], message: string) {
  return refuse<SigV4Refusal>({ error, message });
}

const unread = refused(
  'MissingAuthenticationToken',
  'AWS did not say who signed this request; sign it with AWS Signature Version 4.',
);

/**
 * Reads the request context from the Lambda Web Adapter. Refuses a request of another API or URL,
 * and one that AWS did not verify: without AWS_IAM the context holds no identity.
 *
 * @param context the header's JSON, decoded as UTF-8
 * @param frontId the id of the only API or Function URL that may send requests
 */
function readFrontContext(
  context: string,
  front: LambdaFront,
  frontId: string,
): Result<FrontIdentity, SigV4Refusal> {
  const json = parseStrictJson(Buffer.from(context, 'utf8'));
  if (!json.ok) return unread;
  const id = v.safeParse(v.object({ apiId: text }), json.value);
  if (!id.success) return unread;
  if (id.output.apiId !== frontId) {
    return refused(
      'AccessDenied',
      'The request came through an API that this server does not serve.',
    );
  }
  if (front === 'rest-api') {
    const rest = v.safeParse(RestContext, json.value);
    if (!rest.success) return unread;
    const { accessKey, accountId, userArn, user } = rest.output.identity;
    return ok({ accessKeyId: accessKey, account: accountId, arn: userArn, userId: user });
  }
  const http = v.safeParse(HttpContext, json.value);
  if (!http.success) return unread;
  const { accessKey, accountId, userArn, userId } = http.output.authorizer.iam;
  return ok({ accessKeyId: accessKey, account: accountId, arn: userArn, userId });
}

const Address = v.union([
  v.object({ http: v.object({ sourceIp: v.pipe(v.string(), v.ip()) }) }),
  v.object({ identity: v.object({ sourceIp: v.pipe(v.string(), v.ip()) }) }),
]);

/**
 * The address that a request came from, by its context; undefined if the context has none. Behind a
 * front the TCP peer is the adapter.
 */
export function frontAddress(context: string | undefined): string | undefined {
  const json = parseStrictJson(Buffer.from(context ?? '', 'utf8'));
  const parsed = v.safeParse(Address, json.ok ? json.value : undefined);
  if (!parsed.success) return undefined;
  return 'http' in parsed.output ? parsed.output.http.sourceIp : parsed.output.identity.sourceIp;
}

type Options = {
  readonly clock: Clock;
  readonly front: LambdaFront;
  readonly frontId: string;
  readonly admission: Admission;
};

/**
 * A front of AWS Lambda with AWS_IAM. AWS has verified the signature, and only what AWS says about
 * the caller counts. The Authorization header proves nothing; it only identifies copies of a
 * request.
 */
export function createLambdaAuthenticator({
  clock,
  front,
  frontId,
  admission,
}: Options): Authenticator {
  function begin({ lambdaContext }: Arriving): Result<Prove, IdentityRefusal> {
    const identity =
      lambdaContext === undefined ? unread : readFrontContext(lambdaContext, front, frontId);
    if (!identity.ok) return refuse(fromSigV4(identity.refusal));
    const named = identity.value;
    function prove(request: WireRequest, { ring }: Facts) {
      return Promise.resolve(identify(named, request, ring));
    }
    return ok(prove);
  }

  function identify(
    { accessKeyId, arn, account, userId }: FrontIdentity,
    request: WireRequest,
    ring: KeyRing,
  ): Result<AuthenticCaller, IdentityRefusal> {
    if (!/^\w{1,128}$/u.test(accessKeyId)) {
      return refuse(notAuthentic('AccessDenied', 'AWS named an access key that cannot be one.'));
    }
    const identity = { arn, account, userId };
    const who = toAwsCaller(identity, admission, ring);
    if (!who.ok) return refuse(fromSigV4(who.refusal));
    const claim = toFrontClaim(request, accessKeyId, clock());
    if (!claim.ok) return refuse(fromSigV4(claim.refusal));
    const keys = { accessKeyId, sourceAccessKeyId: undefined, keyExpiresAt: undefined };
    return ok({
      caller: { via: 'lambda', ...who.value, ...keys },
      replay: claim.value,
      source: { via: 'lambda', accessKeyId, identity },
    });
  }

  return { begin, claimedKey: claimsNoKey };
}
