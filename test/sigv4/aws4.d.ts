/** The part of aws4 that the tests use; the package has no types of its own. */
declare module 'aws4' {
  type Request = {
    readonly host: string;
    readonly service: string;
    readonly region: string;
    readonly path: string;
    readonly method?: string;
    readonly body?: string;
    readonly headers?: Readonly<Record<string, string>>;
  };
  const aws4: {
    sign(
      request: Request,
      credentials: { readonly accessKeyId: string; readonly secretAccessKey: string },
    ): { readonly method?: string; readonly headers?: Readonly<Record<string, string | number>> };
  };
  export default aws4;
}
