using System.Security.Cryptography;
using CsCheck;
using static Mirror.Delta.Tests.Deltas;

namespace Mirror.Delta.Tests;

/// <summary>The laws of the algebra, over histories of hostile shapes.</summary>
public sealed class AlgebraTests
{
    private const int Cases = 300;

    [Fact]
    public void Applying_an_encoded_delta_yields_the_target() =>
        Contents.History(2).Sample(h => Assert.Equal(h[1], Apply(h[0], Encode(h[0], h[1]))), iter: 4 * Cases);

    [Fact]
    public void Applying_an_exact_delta_yields_the_target() =>
        Contents.History(2).Sample(h => Assert.Equal(h[1], Apply(h[0], EncodeExact(h[0], h[1]))), iter: 4 * Cases);

    [Fact]
    public void A_delta_measures_what_it_yields() =>
        Contents.History(2).Sample(h => Assert.Equal(h[1].Length, FileDelta.Measure(new MemoryStream(Encode(h[0], h[1])), h[1].Length, default)), iter: Cases);

    [Fact]
    public void An_exact_delta_inverts_and_composes_like_any_other() =>
        Contents.History(3).Sample(
            h =>
            {
                byte[] a = EncodeExact(h[0], h[1]);
                byte[] b = EncodeExact(h[1], h[2]);
                Assert.Equal(h[0], Apply(h[1], Invert(h[0], h[1], a)));
                Assert.Equal(h[2], Apply(h[0], Compose(a, b)));
            },
            iter: Cases);

    [Fact]
    public void A_delta_without_a_basis_yields_the_target() =>
        Contents.Any.Sample(content => Assert.Equal(content, Apply([], EncodeFrom(null, content).Delta)), iter: Cases);

    [Fact]
    public void Encoding_yields_the_digest_that_signing_the_target_yields() =>
        Contents.History(2).Sample(
            h =>
            {
                ContentDigest encoded = EncodeFrom(Sign(h[0]), h[1]).Digest;
                Assert.Equal(h[1].Length, encoded.Length);
                Assert.Equal(SHA256.HashData(h[1]), encoded.Hash);
                Assert.Equal(Store(Sign(h[1])), Store(encoded.Signature));
            },
            iter: Cases);

    [Fact]
    public void A_delta_is_never_much_larger_than_its_target() =>
        Contents.History(2).Sample(h => Assert.InRange(Encode(h[0], h[1]).Length, 1, h[1].Length + 64 + (h[1].Length / 32)), iter: Cases);

    [Fact]
    public void An_inverted_delta_leads_back() =>
        Contents.History(2).Sample(
            h => Assert.Equal(h[0], Apply(h[1], Invert(h[0], h[1], Encode(h[0], h[1])))),
            iter: 4 * Cases);

    [Fact]
    public void Inverting_twice_leads_forward_again() =>
        Contents.History(2).Sample(
            h =>
            {
                byte[] reverse = Invert(h[0], h[1], Encode(h[0], h[1]));
                Assert.Equal(h[1], Apply(h[0], Invert(h[1], h[0], reverse)));
            },
            iter: Cases);

    [Fact]
    public void A_composed_delta_equals_applying_in_turn() =>
        Contents.History(3).Sample(
            h => Assert.Equal(h[2], Apply(h[0], Compose(Encode(h[0], h[1]), Encode(h[1], h[2])))),
            iter: 4 * Cases);

    [Fact]
    public void Composing_is_associative() =>
        Contents.History(4).Sample(
            h =>
            {
                byte[] a = Encode(h[0], h[1]);
                byte[] b = Encode(h[1], h[2]);
                byte[] c = Encode(h[2], h[3]);
                Assert.Equal(h[3], Apply(h[0], Compose(Compose(a, b), c)));
                Assert.Equal(h[3], Apply(h[0], Compose(a, Compose(b, c))));
            },
            iter: Cases);

    [Fact]
    public void Inverting_a_composition_equals_composing_the_inverses() =>
        Contents.History(3).Sample(
            h =>
            {
                byte[] a = Encode(h[0], h[1]);
                byte[] b = Encode(h[1], h[2]);
                byte[] invertedComposition = Invert(h[0], h[2], Compose(a, b));
                byte[] composedInverses = Compose(Invert(h[1], h[2], b), Invert(h[0], h[1], a));
                Assert.Equal(h[0], Apply(h[2], invertedComposition));
                Assert.Equal(h[0], Apply(h[2], composedInverses));
            },
            iter: Cases);

    [Fact]
    public void Composing_with_a_delta_from_nothing_is_a_delta_from_nothing() =>
        Contents.History(2).Sample(
            h => Assert.Equal(h[1], Apply([], Compose(EncodeFrom(null, h[0]).Delta, Encode(h[0], h[1])))),
            iter: Cases);
}
