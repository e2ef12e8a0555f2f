using Mirror.Store.Manifests;

namespace Mirror.Store.Versions;

/// <summary>A content that is looked for.</summary>
public readonly record struct WantedContent(ContentHash Hash, long Size);

/// <summary>A peer could not be asked, refused, or went away while it answered. Another may be asked.</summary>
public sealed class PeerException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>
/// Other stores of the same site, which may have what this one lacks. Nothing they say is believed: a content counts when its SHA-256 is right, a manifest when its root is.
/// </summary>
public interface IContentPeers
{
    /// <summary>Who may be asked now, the best first.</summary>
    IReadOnlyList<string> Names { get; }

    /// <summary>Which of these contents the peer says it has.</summary>
    /// <exception cref="PeerException"/>
    Task<IReadOnlySet<ContentHash>> FindAsync(string peer, IReadOnlyList<ContentHash> wanted, CancellationToken cancellation);

    /// <summary>Writes the pack the peer answers with: from nothing, with those of the contents that it has, each whole.</summary>
    /// <param name="manifestOf">The pack shall lead to this version and bring its manifest; none: no manifest is wanted.</param>
    /// <param name="most">More bytes than this are refused.</param>
    /// <exception cref="PeerException"/>
    Task FetchAsync(string peer, VersionId manifestOf, IReadOnlyList<ContentHash> wanted, Stream pack, long most, CancellationToken cancellation);
}

/// <summary>What one peer contributed.</summary>
/// <param name="Bytes">Of the contents, before compression.</param>
public sealed record PeerShare(string Peer, long Contents, long Bytes);
