using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Mirror.Node.Identity;

/// <summary>NAME.crt and NAME.key in a pki directory, read with errors that name the file and the way out.</summary>
internal static class PemFiles
{
    private const long LargestFile = 256 * 1024;

    public static string CertificatePath(string directory, string name) => Path.Combine(directory, name + ".crt");

    public static string KeyPath(string directory, string name) => Path.Combine(directory, name + ".key");

    public static X509Certificate2 ReadCertificate(string directory, string name)
    {
        var path = CertificatePath(directory, name);
        var text = ReadText(path, name);
        try
        {
            return X509Certificate2.CreateFromPem(text);
        }
        catch (CryptographicException exception)
        {
            throw new IdentityException($"{path} is not a certificate in PEM form ({exception.Message}).", Remedy(name));
        }
    }

    /// <summary>The certificate together with its private key.</summary>
    public static X509Certificate2 ReadPair(string directory, string name)
    {
        using var certificate = ReadCertificate(directory, name);
        var path = KeyPath(directory, name);
        var text = ReadText(path, name);
        using var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(text);
        }
        catch (Exception exception) when (exception is CryptographicException or ArgumentException)
        {
            throw new IdentityException($"{path} is not an ECDSA private key in PEM form ({exception.Message}).", Remedy(name));
        }

        if (!certificate.PublicKey.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(key.ExportSubjectPublicKeyInfo()))
        {
            throw new IdentityException($"{path} is not the key of {CertificatePath(directory, name)}: the two belong to different certificates.", $"Copy both from the same place. {Remedy(name)}");
        }

        return certificate.CopyWithPrivateKey(key);
    }

    public static void CheckInDate(X509Certificate2 certificate, string path, DateTimeOffset now, string remedy)
    {
        if (now < certificate.NotBefore)
        {
            throw new IdentityException($"{path} is valid only from {certificate.NotBefore.ToUniversalTime():u}, and this machine's clock says {now:u}.", "Set the clock right.");
        }

        if (now > certificate.NotAfter)
        {
            throw new IdentityException($"{path} expired at {certificate.NotAfter.ToUniversalTime():u}.", remedy);
        }
    }

    public static string Remedy(string name) => name == "ca"
        ? "Copy ca.crt from a machine of the cluster, or make a new cluster with `mirror init`."
        : $"Where ca.key is kept, move {name}.crt and {name}.key away, run `mirror init` again for a new pair, and copy it here.";

    private static string ReadText(string path, string name)
    {
        try
        {
            var file = new FileInfo(path);
            if (!file.Exists)
            {
                throw new IdentityException($"{path} is missing.", "Make it with `mirror init`, or copy it from the machine where that was run.");
            }

            if (file.Length > LargestFile)
            {
                throw new IdentityException($"{path} has {file.Length} bytes, too many for a certificate or key.", Remedy(name));
            }

            return File.ReadAllText(path);
        }
        catch (UnauthorizedAccessException)
        {
            throw new IdentityException($"{path} may not be read by this user.", $"Run as the user that owns it (`ls -l {path}`), or as root.");
        }
        catch (IOException exception)
        {
            throw new IdentityException($"{path} cannot be read: {exception.Message}", "Check the disk, or copy the file again.");
        }
    }
}
