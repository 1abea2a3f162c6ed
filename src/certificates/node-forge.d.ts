// The two parts of node-forge that we use, with the options its own types leave out. Loading these alone costs 10 ms, all of it 110.
declare module 'node-forge/lib/asn1.js' {
  export interface Asn1 {
    readonly tagClass: number;
    readonly type: number;
    readonly constructed: boolean;
    readonly value: string | readonly Asn1[];
  }
  const asn1: {
    fromDer(
      bytes: string,
      options: {
        readonly strict: boolean;
        readonly parseAllBytes: boolean;
        readonly decodeBitStrings: boolean;
        readonly maxDepth: number;
      },
    ): Asn1;
    derToOid(bytes: string): string;
  };
  export default asn1;
}

declare module 'node-forge/lib/pem.js' {
  const pem: {
    decode(text: string): readonly { readonly type: string; readonly headers: readonly unknown[]; readonly body: string }[];
  };
  export default pem;
}
