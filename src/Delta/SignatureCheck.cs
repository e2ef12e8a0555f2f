namespace Mirror.Delta;

/// <summary>
/// Compares a content, piece by piece, with what was signed. Whoever signed a content with a key of his own knows it again by that: many times as fast as by SHA-256 on a processor without
/// instructions for it.
/// </summary>
internal sealed class SignatureCheck(BlockSignature signed, BlockKey key)
{
    private int _piece;
    private long _length;

    /// <summary>False once a piece differed, or there were too many.</summary>
    public bool Holds { get; private set; } = true;

    /// <summary>To be asked after the last byte.</summary>
    public bool IsWhole => Holds && _length == signed.ContentLength;

    /// <param name="bytes">A whole number of pieces, unless they are the content's last.</param>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        _length += bytes.Length;
        for (; Holds && bytes.Length > 0; _piece++)
        {
            ReadOnlySpan<byte> piece = bytes[..Math.Min(signed.PieceLength, bytes.Length)];
            Holds = _piece < signed.Pieces.Length && PieceHash.Of(piece, key) == signed.Pieces[_piece];
            bytes = bytes[piece.Length..];
        }
    }
}
