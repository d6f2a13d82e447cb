/**
 * Request contexts as the Lambda Web Adapter passes them on, made from the events in AWS's
 * documentation:
 * https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
 * https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
 */
type Who = {
  readonly arn?: string;
  readonly account?: string;
  readonly userId?: string;
  readonly accessKey?: string;
};

const DANA: Required<Who> = {
  arn: 'arn:aws:iam::000000000000:user/eng/dana',
  account: '000000000000',
  userId: 'AIDACKCEVSQ6C2EXAMPLE',
  accessKey: 'AKIAIOSFODNN7EXAMPLE',
};

export const API_ID = 'a1b2c3d4e5';

/** The context of an HTTP API or a Function URL. */
export function httpContext(who: Who = {}, change: object = {}): Record<string, unknown> {
  const { arn, account, userId, accessKey } = { ...DANA, ...who };
  return {
    accountId: '123456789012',
    apiId: API_ID,
    authentication: null,
    authorizer: {
      iam: {
        accessKey,
        accountId: account,
        callerId: userId,
        cognitoIdentity: null,
        principalOrgId: null,
        userArn: arn,
        userId,
      },
    },
    domainName: `${API_ID}.execute-api.us-east-1.amazonaws.com`,
    domainPrefix: API_ID,
    http: {
      method: 'GET',
      path: '/',
      protocol: 'HTTP/1.1',
      sourceIp: '203.0.113.7',
      userAgent: 'curl/8 ünï',
    },
    requestId: 'JKJaXmPLvHcESHA=',
    routeKey: '$default',
    stage: '$default',
    time: '10/Mar/2026:05:16:23 +0000',
    timeEpoch: 1_773_119_783_000,
    ...change,
  };
}

/** The context of a REST API. */
export function restContext(who: Who = {}, change: object = {}): Record<string, unknown> {
  const { arn, account, userId, accessKey } = { ...DANA, ...who };
  return {
    accountId: '123456789012',
    apiId: API_ID,
    resourceId: '123456',
    resourcePath: '/{proxy+}',
    httpMethod: 'GET',
    stage: 'prod',
    requestId: 'c6af9ac6-7b61-11e6-9a41-93e8deadbeef',
    identity: {
      accessKey,
      accountId: account,
      caller: userId,
      user: userId,
      userArn: arn,
      sourceIp: '203.0.113.7',
      userAgent: 'curl/8 ünï',
      cognitoIdentityId: null,
    },
    ...change,
  };
}

/**
 * The header as it is on the wire: raw UTF-8, in a latin1 string that a socket sends byte by byte.
 */
export function toHeader(context: unknown): string {
  return Buffer.from(JSON.stringify(context), 'utf8').toString('latin1');
}
