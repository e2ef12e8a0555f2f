namespace Mirror.Node.Configuration;

/// <summary>What kind of lines lie between the members: how soon one that is silent counts as out of reach. Who is primary does not hang on it, but on the lease.</summary>
public enum NetworkProfile
{
    /// <summary>One room: silence of about 2 s counts.</summary>
    Lan,

    /// <summary>Between cities or clouds: silence of about 7 s counts, and less is said, less often.</summary>
    Wan,
}

/// <summary><c>cluster.profile</c>, read and written.</summary>
internal static class NetworkProfiles
{
    public static NetworkProfile Read(Section cluster)
    {
        var text = cluster.Text("profile", "lan");
        switch (text)
        {
            case "lan":
                return NetworkProfile.Lan;
            case "wan":
                return NetworkProfile.Wan;
            default:
                cluster.Fault("profile", $"'{text}' is no profile.", "Write lan for members in one place, or wan.");
                return NetworkProfile.Lan;
        }
    }

    public static string Text(NetworkProfile profile) => profile == NetworkProfile.Wan ? "wan" : "lan";
}
